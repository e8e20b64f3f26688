// The public API, and nothing else: whatever the console does, an integrator can do.

import createClient, { type Middleware } from "openapi-fetch";

import { somebodyIsHere } from "./activity";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** An answer that is not a success: what the API says of it (docs/API.md, "Errors"). `status` 0: no answer came. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = "Problem";
  }
}

let csrf = "";
let signedOut: () => void = () => undefined;

/** Send this token with each change; it belongs to the session of the cookie. */
export function useToken(token: string): void {
  csrf = token;
}

/** Call `then` whenever an answer says that nobody is signed in. */
export function whenSignedOut(then: () => void): void {
  signedOut = then;
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

const session: Middleware = {
  onRequest({ request }) {
    if (!SAFE.has(request.method)) request.headers.set("x-csrf-token", csrf);
    if (!somebodyIsHere()) request.headers.set("x-background", "true");
    return request;
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && !schemaPath.endsWith("/session")) signedOut();
    return undefined;
  },
};

export const api = createClient<paths>({ credentials: "same-origin" });
api.use(session);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

function problemOf(error: unknown, response: Response): Problem {
  const told = (error ?? {}) as { code?: string; message?: string };
  const wait = Number(response.headers.get("retry-after"));
  return new Problem(
    response.status,
    told.code ?? `HTTP_${response.status}`,
    told.message ?? response.statusText,
    wait > 0 ? wait : null,
  );
}

/** The content of an answer; a `Problem` is thrown where there is none. */
export async function told<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch {
    throw new Problem(0, "NO_ANSWER", "");
  }
  if (!answer.response.ok) throw problemOf(answer.error, answer.response);
  return answer.data as T;
}

export const BASE = "/card-restrictions/v1";
