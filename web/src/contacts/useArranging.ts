/**
 * Putting the contact list in order: by dragging rows and groups, by keys, and by menu. What is dragged, and where it would
 * be dropped, is marked on the rows themselves, so that no row paints again while something is carried over it.
 */
import type { DragEvent, KeyboardEvent } from "react";
import { useRef } from "react";

import { useEngine } from "../engine/hooks";
import { useAnnounce } from "../parts/announce";
import { useTexts } from "../texts/texts";
import type { Group } from "./groups";
import { carried, FAVOURITES, groupName, placed, stepped } from "./groups";

const ROW = "[data-contact]";
const HEAD = "[data-group-head]";

interface Carried {
  /** Empty: a whole group. */
  person: string;
  group: string;
}

interface Target {
  element: HTMLElement;
  side: "before" | "after" | "into";
  group: string;
  /** Before which person or group; null: at the end. */
  before: string | null;
}

const idOf = (element: Element | null | undefined) => (element instanceof HTMLElement ? (element.dataset.contact ?? null) : null);
const groupOf = (element: HTMLElement) => element.closest<HTMLElement>("[data-group]")?.dataset.group ?? "";

export function useArranging(groups: readonly Group[]) {
  const engine = useEngine();
  const texts = useTexts();
  const { t, refused } = texts;
  const announce = useAnnounce();
  const carrying = useRef<Carried | null>(null);
  const target = useRef<Target | null>(null);

  const peopleOf = (name: string) => groups.find((group) => group.name === name)?.people ?? [];
  const idsOf = (name: string) => peopleOf(name).map((person) => person.id);
  const ownGroups = () => groups.map((group) => group.name).filter((name) => name && name !== FAVOURITES);
  const tried = async (work: Promise<unknown>, said: string) => {
    try {
      await work;
      announce(said);
    } catch (error) {
      announce(refused(error), true);
    }
  };
  const orderPeople = (group: string, order: string[], id: string) => {
    const name = peopleOf(group).find((person) => person.id === id)?.name ?? id;
    const said = t("arrange.moved", { name, place: order.indexOf(id) + 1, count: order.length, group: groupName(texts, group) });
    return tried(engine.people.orderPeople(group, order), said);
  };
  const orderGroups = (order: string[], name: string) =>
    tried(engine.people.orderGroups(order), t("arrange.movedGroup", { group: name, place: order.indexOf(name) + 1, count: order.length }));

  /** Move a person inside a group, or a whole group (no person), by so many places. Returns whether there was a place. */
  const step = (group: string, person: string, by: number): boolean => {
    const order = stepped(person ? idsOf(group) : ownGroups(), person || group, by);
    if (!order) return false;
    void (person ? orderPeople(group, order, person) : orderGroups(order, group));
    return true;
  };

  /** Put a person into a group at a place. */
  const put = async (from: string, to: string, id: string, before: string | null, copy: boolean) => {
    const person = peopleOf(from).find((one) => one.id === id);
    if (!person) return;
    const order = placed(idsOf(to), id, before);
    if (from !== to) {
      const said = t("arrange.put", { name: person.name, group: groupName(texts, to) });
      await tried(engine.people.setGroups(id, carried(person.groups, from, to, copy)), said);
      if (!groups.find((group) => group.name === to)?.ordered && before === null) return;
    }
    await orderPeople(to, order, id);
  };

  const mark = (next: Target | null) => {
    if (target.current?.element !== next?.element) delete target.current?.element.dataset.drop;
    if (next) next.element.dataset.drop = next.side;
    target.current = next;
  };

  /** Where it would be dropped now. */
  const aim = (event: DragEvent): Target | null => {
    const on = event.target instanceof Element ? event.target : null;
    const row = on?.closest<HTMLElement>(ROW);
    const head = on?.closest<HTMLElement>(HEAD);
    const over = row ?? head;
    const moved = carrying.current;
    if (!over || !moved) return null;
    const group = groupOf(over);
    const box = over.getBoundingClientRect();
    const upper = event.clientY < box.top + box.height / 2;
    if (!moved.person) {
      if (!head || !ownGroups().includes(group)) return null;
      const names = ownGroups();
      return { element: head, side: upper ? "before" : "after", group, before: upper ? group : (names[names.indexOf(group) + 1] ?? null) };
    }
    if (head) return { element: head, side: "into", group, before: null };
    const id = idOf(row);
    if (!row || !id) return null;
    return { element: row, side: upper ? "before" : "after", group, before: upper ? id : idOf(row.nextElementSibling) };
  };

  const end = () => {
    mark(null);
    carrying.current = null;
  };
  const drag = {
    onDragStart: (event: DragEvent) => {
      const on = event.target instanceof HTMLElement ? event.target : null;
      const [row, head] = [on?.closest<HTMLElement>(ROW), on?.closest<HTMLElement>(HEAD)];
      const over = row ?? head;
      if (!over || (head && !ownGroups().includes(groupOf(head)))) return;
      carrying.current = { person: row?.dataset.contact ?? "", group: groupOf(over) };
      event.dataTransfer.effectAllowed = "copyMove";
      event.dataTransfer.setData("text/plain", over.textContent);
    },
    onDragOver: (event: DragEvent) => {
      const next = aim(event);
      mark(next);
      if (!next) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = event.ctrlKey ? "copy" : "move";
    },
    onDragLeave: (event: DragEvent) => {
      if (!(event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget))) mark(null);
    },
    onDrop: (event: DragEvent) => {
      const [moved, to] = [carrying.current, target.current];
      end();
      if (!moved || !to) return;
      event.preventDefault();
      if (moved.person) void put(moved.group, to.group, moved.person, to.before, event.ctrlKey);
      else void orderGroups(placed(ownGroups(), moved.group, to.before), moved.group);
    },
    onDragEnd: end,
  };

  /** Ctrl Shift and an arrow move what has the focus. */
  const onKeyDown = (event: KeyboardEvent): boolean => {
    if (!event.ctrlKey || !event.shiftKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return false;
    const on = document.activeElement;
    const row = on?.closest<HTMLElement>(ROW);
    const head = on?.closest<HTMLElement>(HEAD);
    const over = row ?? head;
    if (!over) return false;
    event.preventDefault();
    const moved = step(groupOf(over), row?.dataset.contact ?? "", event.key === "ArrowUp" ? -1 : 1);
    if (!moved) announce(t("arrange.atEnd"));
    return true;
  };
  return { drag, onKeyDown, step, put };
}
