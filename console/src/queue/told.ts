// What the list shows and does not show, in a sentence: never a silent cap.

import { computed, type Ref } from "vue";
import { useI18n } from "vue-i18n";

import type { Schemas } from "@/api/client";
import { count } from "@/parts/times";
import { useVocabulary } from "@/words/vocabulary";

import { FACETS, type Filters } from "./filters";
import type { Order } from "./orders";

const TABLES = { tier: "tiers", state: "states", kind: "kinds" } as const;

export function useTold(filters: Ref<Filters>, rows: Ref<Order[]>, counts: Ref<Schemas["OrderCountsShown"] | null>, more: Ref<boolean>) {
  const { t } = useI18n();
  const { word, rule, list } = useVocabulary();
  const named = computed(() => {
    const values = FACETS.filter((facet) => filters.value[facet]).map((facet) => {
      const value = filters.value[facet] as string;
      const said = facet === "rule" ? rule(value) : facet in TABLES ? word(TABLES[facet as keyof typeof TABLES], value) : value;
      return `${t(`queue.facet.${facet}`)} ${said === "-" ? t("unknown") : said}`;
    });
    const marks = (["overdue", "waiting"] as const).filter((mark) => filters.value[mark]);
    return [...values, ...marks.map((mark) => t(`queue.facet.${mark}`))];
  });
  const told = computed(() => {
    const total = count(counts.value?.total ?? rows.value.length);
    if (!named.value.length && !more.value) return t("queue.noFilter", { total });
    const shown = t("queue.shown", { total, shown: count(rows.value.length) });
    return named.value.length ? shown + t("queue.hidden", { filters: list(named.value) }) : shown;
  });
  return { named, told };
}
