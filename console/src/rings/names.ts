// Names of what is in the picture, in the language of the reader; the API names kinds and roles.

import { computed, type Ref } from "vue";
import { useI18n } from "vue-i18n";

import { count } from "@/parts/times";
import { useVocabulary } from "@/words/vocabulary";

import type { Words } from "./picture/paint";
import type { Counts } from "./picture/scene";
import type { Picture } from "./rings";

const PEOPLE = ["operator", "minder", "supplier"];
const COLUMNS = [{ x: 6, name: "supply" }, { x: 440, name: "use" }, { x: 818, name: "people" }] as const;

type Node = Picture["nodes"][number];
type Cluster = Picture["clusters"][number];

export function useNames() {
  const { t } = useI18n();
  const { word } = useVocabulary();

  function cluster(one: Cluster): string {
    if (one.kind === "other_outlets" && !one.many) return t("ring.cluster.unknown_outlets");
    return t(`ring.cluster.${one.kind}`, { label: one.label, many: one.many });
  }
  function node(one: Node): string {
    if (one.merged) return t("ring.more", { n: one.merged, kind: PEOPLE.includes(one.kind) ? word("ringRoles", one.kind) : t(`ring.kind.${one.kind}`) });
    if (PEOPLE.includes(one.kind)) return one.label;
    const label = one.kind === "holder" && one.label.length > 20 ? one.label.slice(0, 8) : one.label;
    return `${t(`ring.kind.${one.kind}`)} ${label}`.trim();
  }
  const letter = computed(() => Object.fromEntries(PEOPLE.map((role) => [role, t(`ring.letter.${role}`)])));

  /** All words of a picture. `counts`: of what the filter leaves. */
  function words(picture: Picture, counts: Counts): Words {
    const facts = (one: Cluster): string => {
      const some = counts.cluster.get(one.id) ?? 0;
      const cards = some === one.cards ? t("ring.cards", { n: count(some) }) : t("ring.cardsOf", { n: count(some), all: count(one.cards) });
      const bound = one.lowerBound === null ? "" : t("ring.bound", { n: Math.floor(one.lowerBound) });
      return [cards, one.column === "supply" ? one.city : "", bound].filter(Boolean).join(" · ");
    };
    return {
      cluster: new Map(picture.clusters.map((one) => [one.id, cluster(one)])),
      node: new Map([...picture.nodes.map((one): [string, string] => [one.id, node(one)]), ["", t("ring.noGroup")]]),
      facts: new Map(picture.clusters.map((one) => [one.id, facts(one)])),
      ties: picture.ties.map((one) => word("linkKinds", one.kind)),
      headings: picture.headings.map((one) => word("ringRoles", one.role)),
      columns: COLUMNS.map((one) => ({ x: one.x, text: t(`ring.column.${one.name}`) })),
      nobody: t("ring.nobody"),
      letter: letter.value,
    };
  }
  return { cluster, node, words };
}

/** What a person chose, and which cards that is. */
export function useMembers(picture: Ref<Picture | undefined>, chosen: Ref<string>) {
  return computed<number[] | null>(() => {
    const now = picture.value;
    const id = chosen.value;
    if (!now || !id) return null;
    const node = now.nodes.find((one) => one.id === id);
    if (node) return node.members;
    const cluster = now.clusters.find((one) => one.id === id);
    if (cluster) {
      const of = cluster.column === "supply" ? now.cards.supply : now.cards.place;
      return of.flatMap((one, card) => (one === id ? [card] : []));
    }
    const card = /^c(\d+)$/.exec(id)?.[1];
    return card === undefined ? null : [Number(card)];
  });
}
