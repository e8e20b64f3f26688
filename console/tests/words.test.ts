import { describe, expect, it } from "vitest";

import { en } from "@/words/en";
import { zh } from "@/words/zh";

function flat(words: object, before = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(words)) {
    if (typeof value === "string") found.set(before + key, value);
    else for (const [name, text] of flat(value as object, `${before}${key}.`)) found.set(name, text);
  }
  return found;
}

const holes = (text: string): string[] => (text.match(/\{[^}]+\}/g) ?? []).sort();

describe("the words of both languages", () => {
  const chinese = flat(zh);
  const english = flat(en);

  it("have the same keys, and none is empty", () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
    for (const words of [chinese, english]) for (const [key, text] of words) expect(text.trim(), key).not.toBe("");
  });

  it("fill in the same values", () => {
    for (const [key, text] of chinese) expect(holes(english.get(key) ?? ""), key).toEqual(holes(text));
  });

  it("are Chinese in Chinese, and have no Chinese in English but the name of the other language", () => {
    for (const [key, text] of english) if (key !== "language.other") expect(text, key).not.toMatch(/\p{Script=Han}/u);
    for (const [key, text] of chinese) {
      if (key !== "language.other" && key !== "problem.other" && key !== "card.onDay") expect(text, key).toMatch(/\p{Script=Han}/u);
    }
  });

  it("have no sign that would be read as syntax", () => {
    for (const words of [chinese, english]) for (const [key, text] of words) expect(text, key).not.toMatch(/[@|]/);
  });
});
