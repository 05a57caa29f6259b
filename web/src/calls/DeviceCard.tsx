/** On which of one's devices calls go on, and how to change it. */
import { Headset20Regular, Phone20Regular } from "@fluentui/react-icons";
import { Menu, MenuItemRadio, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";

import { useEngine, useSoftphone } from "../engine/hooks";
import type { Texts } from "../texts/texts";
import { useTexts } from "../texts/texts";
import type { Phone, PhoneDevice } from "../wire";
import css from "./calls.module.css";

export const deviceName = (texts: Texts, device: PhoneDevice): string =>
  device.softphone ? texts.t("device.computer") : device.description || [device.model, device.number].filter(Boolean).join(" ") || device.id;

function stateLine(texts: Texts, phone: Phone): string {
  const { t, reason } = texts;
  if (phone.do_not_disturb) return t("phone.dnd");
  if (phone.forward) return t("phone.forwarded", { to: phone.forward === "voicemail" ? t("phone.voicemail") : phone.forward });
  if (phone.state === "registered") return phone.number ? t("phone.ready.number", { number: phone.number }) : t("phone.ready");
  return reason(phone.text) || t(`phone.${phone.state}`);
}

export function DeviceCard({ inset = true }: { inset?: boolean }) {
  const texts = useTexts();
  const { t } = texts;
  const engine = useEngine();
  const phone = useSoftphone();
  if (!phone) return null;
  const chosen = phone.devices.find((device) => device.chosen) ?? phone.devices.find((device) => device.id === phone.device);
  const computer = !chosen || chosen.softphone;
  return (
    <div className={css.device} data-inset={inset || undefined} data-trouble={(phone.state !== "registered" && computer) || undefined}>
      {computer ? <Headset20Regular aria-hidden /> : <Phone20Regular aria-hidden />}
      <div>
        <b>{computer ? t("device.uses.computer") : t("device.uses", { device: deviceName(texts, chosen) })}</b>
        <span>{stateLine(texts, phone)}</span>
      </div>
      {phone.devices.length > 1 && (
        <Menu
          positioning="below-end"
          checkedValues={{ device: [chosen?.id ?? ""] }}
          onCheckedValueChange={(_, data) => data.checkedItems[0] && void engine.phone.choose(data.checkedItems[0])}
        >
          <MenuTrigger disableButtonEnhancement>
            <button type="button" className={css.link} aria-label={t("device.change")}>
              {t("change")}
            </button>
          </MenuTrigger>
          <MenuPopover>
            <MenuList>
              {phone.devices.map((device) => (
                <MenuItemRadio key={device.id} name="device" value={device.id}>
                  {deviceName(texts, device)}
                </MenuItemRadio>
              ))}
            </MenuList>
          </MenuPopover>
        </Menu>
      )}
    </div>
  );
}
