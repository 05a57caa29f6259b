/** Above everything: the mark, search and call, what is not connected, and oneself. */
import { useServices } from "../engine/hooks";
import { go } from "../engine/place";
import { Mark } from "../parts/Mark";
import { serviceName } from "../parts/serviceWords";
import { useTexts } from "../texts/texts";
import { MyPresence } from "./MyPresence";
import { SearchBox } from "./SearchBox";
import css from "./topbar.module.css";

function ServiceChips() {
  const texts = useTexts();
  const troubled = useServices().filter((service) => service.state !== "up" && service.state !== "off");
  return (
    <span className={css.services} role="status">
      {troubled.map((service) => (
        <button
          key={service.id}
          type="button"
          data-state={service.state}
          onClick={() => go("settings", "connection")}
        >
          {texts.t(service.state === "failed" ? "service.chip.failed" : service.state === "waiting" ? "service.chip.waiting" : "service.chip.connecting", {
            service: serviceName(texts, service.id),
          })}
        </button>
      ))}
    </span>
  );
}

export function TopBar() {
  return (
    <header className={css.top} data-pane="top">
      <div className={css.brand}>
        <Mark size={30} />
        <b>Ringback</b>
      </div>
      <SearchBox />
      <div className={css.end}>
        <ServiceChips />
        <MyPresence />
      </div>
    </header>
  );
}
