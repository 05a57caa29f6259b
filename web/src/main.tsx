import "./theme/fonts.css";
import "./theme/tokens.css";
import "./theme/base.css";

import { createRoot } from "react-dom/client";

import { App } from "./App";
import { Engine } from "./engine/engine";

const engine = new Engine();
engine.start();
createRoot(document.getElementById("root") as HTMLElement).render(<App engine={engine} />);
