/** Inside or outside the company's network, with why; and what is not to be had there, each with its reason. */
import { ArrowSync20Regular, BuildingMultiple20Regular, Globe20Regular, SubtractCircle20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useWhere } from "../engine/hooks";
import { WhyButton, WhyCard } from "../parts/Why";
import { useTexts } from "../texts/texts";
import css from "./settings.module.css";

const glyphs = { inside: <BuildingMultiple20Regular aria-hidden />, outside: <Globe20Regular aria-hidden />, moving: <ArrowSync20Regular aria-hidden /> };

/** What this person has inside, and misses; the others nobody has outside. */
const OWN = new Set(["calls", "directory"]);

export function Whereabouts() {
  const { t, reason, short } = useTexts();
  const { where, edge, since, reasons, missing } = useWhere();
  const [why, setWhy] = useState(false);
  const [more, setMore] = useState(false);
  const own = missing.filter((one) => OWN.has(one.id));
  const others = missing.filter((one) => !OWN.has(one.id));
  if (!where) return null;
  return (
    <ul className={css.services} aria-label={t("where")}>
      <li>
        {glyphs[where]}
        <b>{t(`where.${where}`)}</b>
        <div>
          {edge && <code>{edge}</code>}
          {since && <span>{t(edge && where === "outside" ? "where.edge" : "where.since", { time: short(since) })}</span>}
        </div>
        {reasons.length > 0 && <WhyButton open={why} onToggle={() => setWhy(!why)} />}
        {why && <WhyCard title={t("where.why")} lines={reasons.map((one) => ({ said: reason(one) }))} onClose={() => setWhy(false)} />}
      </li>
      {own.map((one) => (
        <li key={one.id}>
          <SubtractCircle20Regular aria-hidden />
          <b>{t("where.missing")}</b>
          <div dir="auto">{reason(one.reason)}</div>
        </li>
      ))}
      {others.length > 0 && (
        <li>
          <SubtractCircle20Regular aria-hidden />
          <b>{t("where.missing")}</b>
          <div>{t("where.others", { count: others.length })}</div>
          <WhyButton open={more} onToggle={() => setMore(!more)} label={t("where.which")} />
          {more && <WhyCard title={t("where.missing")} lines={others.map((one) => ({ said: reason(one.reason) }))} onClose={() => setMore(false)} />}
        </li>
      )}
    </ul>
  );
}
