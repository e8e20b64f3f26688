// The words of the API's values: one table, which the API gives (`GET /vocabulary`).

import { useQuery } from "@tanstack/vue-query";
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { api, BASE, type Schemas, told } from "@/api/client";
import { useZone } from "@/parts/times";

export type Bilingual = Schemas["WordsShown"];
type Table =
  | "kinds" | "states" | "events" | "tiers" | "roles" | "figures"
  | "actStates" | "leftOut" | "documents" | "checkReasons" | "outcomes" | "channels"
  | "fraudKinds" | "ringRoles" | "deviceRoles" | "linkKinds"
  | "measures" | "unitKinds" | "listingStates" | "listingEvents" | "networkStates";

export function useVocabulary() {
  const { locale } = useI18n();
  const { data } = useQuery({
    queryKey: ["vocabulary"],
    queryFn: async () => {
      const words = await told(api.GET(`${BASE}/vocabulary`, {}));
      useZone(words.timeZone);
      return words;
    },
    staleTime: Infinity,
  });
  const said = (words: Bilingual | null | undefined, otherwise = ""): string =>
    words ? words[locale.value as "zh" | "en"] : otherwise;
  return {
    said,
    word: (table: Table, value: string): string => said(data.value?.[table][value], value),
    rule: (id: string): string => said(data.value?.rules[id]?.title ?? data.value?.reasons[id], id),
    /** What an entry of the audit trail says: by its own name, or by the kind of an order and what happened to it. */
    entry: (what: string): string => {
      const [kind = "", event = ""] = what.split(".");
      const own = data.value?.entries[what];
      const moved = data.value?.changes[event] ?? data.value?.events[event];
      return own ? said(own) : moved ? `${said(data.value?.kinds[kind], kind)} · ${said(moved)}` : what;
    },
    list: (words: string[]): string => words.join(locale.value === "zh" ? "、" : ", "),
    rules: computed(() => data.value?.rules ?? {}),
  };
}
