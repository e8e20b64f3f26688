// Every word of the console in Chinese. `en.ts` has the same keys: the compiler and a test hold both equal.

import { common } from "./zh/common";
import { shell } from "./zh/shell";
import { work } from "./zh/work";
import { desk } from "./zh/desk";
import { links } from "./zh/links";
import { oversight } from "./zh/oversight";

export const zh = { ...common, ...shell, ...work, ...desk, ...links, ...oversight };

export type Words = typeof zh;
