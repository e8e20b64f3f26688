import { QueryClient, VueQueryPlugin } from "@tanstack/vue-query";
import { createApp } from "vue";

import { Problem, whenSignedOut } from "./api/client";
import App from "./App.vue";
import { router } from "./router";
import { applyTheme } from "./shell/theme";
import "./style.css";
import { choose, chosen, i18n } from "./words";

choose(chosen());
applyTheme();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: true,
      // what is refused stays refused: only silence and "come again" are asked again
      retry: (tries, error) => tries < 2 && error instanceof Problem && (error.status === 0 || error.status === 503),
    },
  },
});
whenSignedOut(() => {
  queries.clear(); // nothing of what was seen stays for the next person at this screen
  queries.setQueryData(["session"], null);
});

createApp(App).use(i18n).use(router).use(VueQueryPlugin, { queryClient: queries }).mount("#console");
