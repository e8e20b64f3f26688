// Reasons of a check as staff read them: the API's words are those that a holder is told.

import { useI18n } from "vue-i18n";

import { useVocabulary } from "@/words/vocabulary";

export function useReasonWords() {
  const { t, te } = useI18n();
  const { word, list } = useVocabulary();
  return {
    list,
    reasonWord: (reason: string): string => {
      const key = `reviews.reason.${reason}`;
      return te(key) ? t(key) : word("checkReasons", reason);
    },
  };
}
