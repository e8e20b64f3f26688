// The two languages, and which one is read: chosen once, kept in this browser.

import { createI18n } from "vue-i18n";

import { en } from "./en";
import { zh } from "./zh";

export type Language = "zh" | "en";

const KEPT = "duanka.language";

/** Chinese, unless English was chosen in this browser. */
export function chosen(): Language {
  return localStorage.getItem(KEPT) === "en" ? "en" : "zh";
}

export const i18n = createI18n({
  legacy: false,
  locale: chosen(),
  fallbackLocale: false,
  messages: { zh, en },
});

export function choose(language: Language): void {
  localStorage.setItem(KEPT, language);
  i18n.global.locale.value = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}
