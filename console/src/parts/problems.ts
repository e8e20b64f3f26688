// What went wrong, in the words of the reader, with the next step.

import { useI18n } from "vue-i18n";

import { Problem } from "@/api/client";

export function useProblemWords() {
  const { t } = useI18n();
  return (error: unknown): string => {
    if (!(error instanceof Problem)) return t("problem.other", { message: String(error), code: "CONSOLE" });
    const { status, code, message, retryAfter } = error;
    if (status === 0) return t("problem.noAnswer");
    if (status === 403) return t("problem.denied", { message });
    if (status === 404) return t("problem.notFound", { message });
    if (status === 409) return t("problem.conflict", { message });
    if (status === 429) return t("problem.tooMany", { seconds: retryAfter ?? 60 });
    return t("problem.other", { message, code });
  };
}
