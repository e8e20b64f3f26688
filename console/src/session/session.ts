// Who is signed in, and the way in and out.

import { useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed } from "vue";

import { api, BASE, Problem, type Schemas, told, useToken } from "@/api/client";

const KEY = ["session"] as const;
// Whether a session may be there: asking for one that is not is an error in the browser's own log.
const HINT = "duanka.signed-in";

if (location.hash === "#signed-in") {
  // back from the operator's own sign-in page
  localStorage.setItem(HINT, "yes");
  history.replaceState(history.state, "", location.pathname + location.search);
}

type Session = Schemas["SessionShown"];

function entered<Found extends Session | null>(session: Found): Found {
  if (session) localStorage.setItem(HINT, "yes");
  else localStorage.removeItem(HINT);
  useToken(session?.csrfToken ?? "");
  return session;
}

/** The session of this browser; `undefined` data until it is known, null: nobody is signed in. */
export function useSession() {
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () => {
      if (!localStorage.getItem(HINT)) return null;
      const session = await told(api.GET(`${BASE}/session`, {})).catch((error: unknown) => {
        if (error instanceof Problem && error.status === 401) return null;
        throw error;
      });
      return entered(session);
    },
    staleTime: Infinity,
    refetchInterval: 60_000, // who went away is signed off, and the screen says so; asking keeps nobody signed in
    retry: false,
  });
  return { ...query, person: computed(() => query.data.value ?? null) };
}

/** How people sign in here; unknown ways are taken for a password alone. */
export function useWays() {
  const { data } = useQuery({
    queryKey: ["session", "ways"],
    queryFn: () => told(api.GET(`${BASE}/session/ways`, {})),
    staleTime: Infinity,
  });
  return computed(() => data.value ?? { password: true, oidc: false });
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { login: string; password: string }) =>
      told(api.POST(`${BASE}/session`, { body: asked })),
    onSuccess: (session) => client.setQueryData(KEY, entered(session)),
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { present: string; new: string }) =>
      told(api.POST(`${BASE}/session/password`, { body: asked })),
    onSuccess: (session) => client.setQueryData(KEY, entered(session)),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => told(api.DELETE(`${BASE}/session`, {})),
    onSuccess: () => {
      client.clear(); // nothing of what was seen stays for the next person at this screen
      client.setQueryData(KEY, entered(null));
    },
  });
}
