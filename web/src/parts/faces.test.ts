import { expect, test } from "vitest";

import { initials } from "./faces";

test.each([
  ["Anita Berg", "AB"],
  ["Bartholomew van der Featherstonehaugh", "BF"],
  ["mateus@example.com", "M"],
  ["anita.berg@example.com", "AB"],
  ["Ünal", "Ü"],
  ["+49 30 555", "+5"],
  ["", ""],
])("%s is shown as %s", (name, letters) => {
  expect(initials(name)).toBe(letters);
});
