/** Above everything: the mark, search and call, what is not connected, and oneself. */
import { useCallsMissing, useFeatures, useServices, useSoftphone, useWhere } from "../engine/hooks";
import { go } from "../engine/place";
import { Mark } from "../parts/Mark";
import { serviceName } from "../parts/serviceWords";
import { SearchBox } from "../search/SearchBox";
import { useTexts } from "../texts/texts";
import { MyPresence } from "./MyPresence";
import css from "./topbar.module.css";

/** Outside the office, or on the way between networks: calm words, since all that can work does. */
function WhereChip() {
  const { t } = useTexts();
  const { where } = useWhere();
  if (where !== "outside" && where !== "moving") return null;
  return (
    <button type="button" data-state={where} onClick={() => go("settings", "connection")}>
      {t(`where.${where}`)}
    </button>
  );
}

/** The phone in words, where it is not ready. */
function PhoneChip() {
  const { t } = useTexts();
  const phone = useSoftphone();
  const features = useFeatures();
  const missing = useCallsMissing();
  if (!features?.calls || !phone || phone.state === "off" || missing) return null;
  if (phone.state === "registered" && !phone.do_not_disturb && !phone.forward) return null;
  const words = phone.state !== "registered" ? t(`phone.${phone.state}`) : t(phone.do_not_disturb ? "phone.dnd" : "phone.forwarded.short");
  return (
    <button type="button" data-state={phone.state === "connecting" || phone.state === "registered" ? phone.state : "failed"} onClick={() => go("settings", "calls")}>
      {words}
    </button>
  );
}

/** More than these are told as a number: cut names tell nothing. */
const MOST = 2;

function ServiceChips() {
  const texts = useTexts();
  const services = useServices();
  const moving = useWhere().where === "moving";
  const troubled = (moving ? [] : services).filter((service) => service.id !== "phone" && service.state !== "up" && service.state !== "off");
  const bad = troubled.filter((service) => service.state !== "connecting");
  const many = bad.length > MOST;
  return (
    <span className={css.services} role="status">
      <WhereChip />
      {many && (
        <button type="button" data-state="waiting" onClick={() => go("settings", "connection")}>
          {texts.t("service.chip.several", { count: bad.length })}
        </button>
      )}
      {(many ? troubled.filter((service) => service.state === "connecting") : troubled).map((service) => (
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
      {!moving && <PhoneChip />}
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
