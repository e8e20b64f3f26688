// Who is signed in, and the way in and out.

import { useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed } from "vue";

import { api, told, useToken, BASE } from "@/api/client";

const KEY = ["session"] as const;

/** The session of this browser; `undefined` data until it is known, null: nobody is signed in. */
export function useSession() {
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () => {
      const session = await told(api.GET(`${BASE}/session`, {})).catch((error: unknown) => {
        if (error instanceof Object && "status" in error && error.status === 401) return null;
        throw error;
      });
      if (session) useToken(session.csrfToken);
      return session;
    },
    staleTime: Infinity,
    refetchInterval: 60_000, // who went away is signed off, and the screen says so; asking keeps nobody signed in
    retry: false,
  });
  return { ...query, person: computed(() => query.data.value ?? null) };
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { login: string; password: string }) =>
      told(api.POST(`${BASE}/session`, { body: asked })),
    onSuccess: (session) => {
      useToken(session.csrfToken);
      client.setQueryData(KEY, session);
    },
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { present: string; new: string }) =>
      told(api.POST(`${BASE}/session/password`, { body: asked })),
    onSuccess: (session) => {
      useToken(session.csrfToken);
      client.setQueryData(KEY, session);
    },
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => told(api.DELETE(`${BASE}/session`, {})),
    onSuccess: () => {
      client.clear(); // nothing of what was seen stays for the next person at this screen
      client.setQueryData(KEY, null);
    },
  });
}
