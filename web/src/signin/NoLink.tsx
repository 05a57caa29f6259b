/** Before the first answer of the engine: nothing for a moment, then what to do. */
import { PlugDisconnected24Regular } from "@fluentui/react-icons";

import { useEngine, useLink } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import css from "./card.module.css";
import { Frame } from "./Frame";

export function NoLink() {
  const { t } = useTexts();
  const link = useLink();
  const engine = useEngine();
  if (link.lostAt === null) return null;
  return (
    <Frame>
      <section className={css.card} data-size="middle" role="alert">
        <div className={css.body}>
          <div className={css.fault}>
            <span className={css.alarm} aria-hidden>
              <PlugDisconnected24Regular />
            </span>
            <h1>{t("link.none")}</h1>
          </div>
          <dl className={css.facts}>
            <dt>{t("fault.do")}</dt>
            <dd>{t("link.none.do")}</dd>
          </dl>
          <div className={css.buttons}>
            <button type="button" className={css.link} onClick={engine.tryNow}>
              {t("tryNow")}
            </button>
          </div>
        </div>
      </section>
    </Frame>
  );
}
