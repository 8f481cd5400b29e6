// Asks the service: keys, waiting where it is busy, problems in words, times by stage.

import { askForKey, forgetKey, key } from "./key.js";

const BUSY = 429;
const NO_KEY = 401;
const MOST_WAITS = 20;

/** What went wrong, as one sentence. status: of HTTP, 0 where there was no answer. requestId: to be found in the log. */
export class Problem extends Error {
  constructor(message, { status = 0, requestId = null } = {}) {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }

  /** The sentence, with the request's id where there is one. */
  get words() {
    return this.requestId ? `${this.message} (request ${this.requestId})` : this.message;
  }
}

/** Whether the same request may be answered later. */
export const mayBeAnsweredLater = ({ status }) => [0, 401, 408, 429, 500, 502, 503, 504].includes(status);

/** Problem of an object of RFC 9457. */
export const problemOf = (document) =>
  new Problem(document.detail || document.title || "The service refused without a reason.", {
    status: document.status,
    requestId: document.request_id,
  });

async function refusal(response) {
  const known = { status: response.status, requestId: response.headers.get("X-Request-ID") };
  try {
    const { detail, title } = await response.json();
    if (detail || title) return new Problem(detail || title, known);
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  return new Problem(`The service answered with status ${response.status} and no reason.`, known);
}

/** Seconds that the service wants to be left alone: of a number or of a date. */
function pauseOf(response) {
  const text = response.headers.get("Retry-After") ?? "1";
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Math.min(Math.max(Number.isFinite(seconds) ? seconds : 1, 0.2), 120);
}

const sleep = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });

async function send(path, { method, body, headers, signal }) {
  const known = key();
  const all = known ? { ...headers, Authorization: `Bearer ${known}` } : headers;
  try {
    return await fetch(path, { method, body, headers: all, signal, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The service does not answer. It may have been stopped, or the network is gone.");
  }
}

/**
 * The answer to a request. busy: called with the seconds to wait whenever the service has too much to do; sent: whenever
 * it is sent, the last time with the one that is answered.
 * Throws Problem, and AbortError where signal says so.
 */
export async function ask(path, { method = "GET", body, headers = {}, signal, busy = () => {}, sent = () => {} } = {}) {
  for (let waits = 0; ; ) {
    sent();
    const response = await send(path, { method, body, headers, signal });
    if (response.ok) return response;
    const problem = await refusal(response);
    if (response.status === NO_KEY) {
      forgetKey();
      if (!(await askForKey(problem.message))) throw problem;
    } else if (response.status === BUSY && waits < MOST_WAITS) {
      waits += 1;
      const seconds = pauseOf(response);
      busy(seconds);
      await sleep(seconds, signal);
    } else {
      throw problem;
    }
    signal?.throwIfAborted();
  }
}

/** A form with a picture and parameters, as the curl call sends it. */
export function formOf(file, name, parameters) {
  const form = new FormData();
  form.append("image", file, name);
  for (const [parameter, value] of Object.entries(parameters)) form.append(parameter, value);
  return form;
}

/** Body read in full, and the milliseconds from the request until then, without waits for a key or a busy service. */
export async function timed(path, request, read) {
  let start = 0;
  const sent = () => {
    start = performance.now();
  };
  const response = await ask(path, { ...request, busy: (seconds) => request.busy?.(seconds), sent });
  const body = await read(response);
  return { body, milliseconds: performance.now() - start, stages: stagesOf(response.headers.get("Server-Timing")) };
}

/** Milliseconds by name, of a header Server-Timing: "decode;dur=3.1, pnet;dur=8". */
export function stagesOf(header) {
  const stages = {};
  for (const entry of (header ?? "").split(",")) {
    const [name, ...rest] = entry.split(";").map((part) => part.trim());
    const duration = rest.find((part) => part.startsWith("dur="));
    if (name && duration) stages[name] = Number(duration.slice(4));
  }
  return stages;
}
