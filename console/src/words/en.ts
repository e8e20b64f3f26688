// Every word of the console in English: the same keys as `zh.ts`.

import { common } from "./en/common";
import { shell } from "./en/shell";
import { work } from "./en/work";
import { desk } from "./en/desk";
import { links } from "./en/links";
import { oversight } from "./en/oversight";
import type { Words } from "./zh";

export const en: Words = { ...common, ...shell, ...work, ...desk, ...links, ...oversight };
