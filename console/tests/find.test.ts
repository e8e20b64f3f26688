import { describe, expect, it } from "vitest";

import { numberOf, orderIdOf } from "@/shell/find";

describe("the id of an order", () => {
  it.each([
    ["V0123456789AB", "V0123456789AB"],
    [" v0123456789ab ", "V0123456789AB"],
    ["v 0123 4567 89ab", "V0123456789AB"],
    ["RO1234567891L", "R012345678911"],
    ["D-012345-6789AB", "D0123456789AB"],
  ])("is read of %j", (text, id) => expect(orderIdOf(text)).toBe(id));

  it.each(["", "V", "X0123456789AB", "V0123456789ABC", "V0123456789A", "13800000000", "+8613800000000"])(
    "is not in %j",
    (text) => expect(orderIdOf(text)).toBeNull(),
  );
});

describe("a number", () => {
  it.each([
    "13800000000", "+8613800000000", "＋８６１３８０００００００", "138 0000 0000", "0086-138-0000-0000", "(010) 6552 9988", "tel:+8613800000000", "+86 138 0000 0000",
  ])("is read of %j", (text) => expect(numberOf(text)).not.toBeNull());

  it.each(["", "12", "hello", "V0123456789AB", "138x0000000", "+86 138****0000"])("is not in %j", (text) => expect(numberOf(text)).toBeNull());
});
