// The one module that talks to the service: requests, problem documents in words, uploads, streams of events.

import { currentTaste, emit, state } from "./state.js";
import { clean } from "./words.js";

/** What went wrong, in the service's own words where it gave any. */
export class ApiError extends Error {
  /** @param {number} status 0: no answer at all @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const NO_ANSWER = "The service does not answer. Is 'sevensongs serve' still running?";

/**
 * Ask the service.
 * @param {string} path below /v1
 * @param {{method?: string, params?: Record<string, any>, body?: any, file?: Blob, signal?: AbortSignal,
 *   headers?: Record<string, string>}} [options]
 * @returns {Promise<Response>} of a success
 * @throws {ApiError} else; and AbortError where `signal` ended it
 */
export async function ask(path, { method = "GET", params = {}, body, file, signal, headers = {} } = {}) {
  const init = { method, signal, headers: { ...headers }, credentials: /** @type {const} */ ("same-origin") };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  if (file) {
    init.body = file;
    init.headers["Content-Type"] = "application/octet-stream";
  }
  let response;
  try {
    response = await fetch(address(path, params), init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    emit("offline");
    throw new ApiError(0, NO_ANSWER);
  }
  emit("online");
  if (!response.ok) throw problem(response.status, await response.text());
  return response;
}

/** Ask for JSON. @returns {Promise<any>} */
export async function askJson(path, options) {
  const response = await ask(path, options);
  return response.status === 204 ? null : read(await response.text());
}

// Controls, halves of surrogate pairs (of names that are no UTF-8) and marks that turn the direction of text.
const NOT_SHOWN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Surrogate}/gu;

/** Read JSON; what could make a name look like another one is shown as U+FFFD, wherever the name goes. */
function read(text) {
  return JSON.parse(text, (_key, value) =>
    typeof value === "string" ? value.replace(NOT_SHOWN, "\ufffd") : value,
  );
}

/** @returns {string} the address of something below /v1; empty parameters are left out */
export function address(path, params = {}) {
  const given = Object.entries(params).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const query = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return `/v1${path}${query ? `?${query}` : ""}`;
}

/** Turn an answer that is no success into words. */
function problem(status, text) {
  if (status === 401) emit("unauthorised");
  let detail = "";
  try {
    const found = read(text);
    detail = found.detail || found.title || "";
  } catch {
    // no problem document, such as a proxy's page
  }
  return new ApiError(status, clean(detail) || `The service answered with an error (${status}).`);
}

/**
 * Send a file; `fetch` does not tell how much of it is gone, so this is an XMLHttpRequest.
 * @param {string} path @param {Record<string, any>} params @param {File} file
 * @param {(share: number) => void} sent called with what is sent, from 0 to 1
 * @returns {{answer: Promise<any>, cancel: () => void}}
 */
export function upload(path, params, file, sent) {
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append("file", file);
  const answer = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) sent(event.loaded / event.total);
    });
    request.upload.addEventListener("load", () => sent(1));
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status > 299) reject(problem(request.status, request.responseText));
      else resolve(read(request.responseText));
    });
    request.addEventListener("abort", () => reject(new ApiError(0, "Cancelled.")));
    request.addEventListener("error", () => {
      // A refusal may close the connection while the file is still being sent; the browser tells no more
      // then.
      const big = "It could not be sent: the file may be too large, or the service does not answer.";
      reject(new ApiError(0, big));
    });
  });
  request.open("POST", address(path, params));
  request.send(form);
  return { answer, cancel: () => request.abort() };
}

/**
 * Read server-sent events from an answer; EventSource can't POST, nor tell a problem from a lost line.
 * @param {Response} response
 * @returns {AsyncGenerator<{event: string, data: any}>}
 */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const found = parsed(block);
        if (found) yield found;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** One event; null for a comment that only keeps the line open. */
function parsed(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return data.length ? { event, data: read(data.join("\n")) } : null;
}

/** A page of the ranked list, each song once; until there is a taste, of all songs: there are no finds yet. */
export function askSongs(query, offset, limit, signal) {
  const begun = currentTaste()?.trained;
  const label = query.label === "none" && !begun ? "" : query.label;
  const params = { taste: state.taste, offset, limit, ...query, label, once: true };
  return askJson("/songs", { params, signal });
}

/** Give a song a label in a taste, or take it away with null. */
export function putLabel(id, label, taste) {
  const params = { taste };
  if (!label) return askJson(`/songs/${id}/label`, { method: "DELETE", params });
  return askJson(`/songs/${id}/label`, { method: "PUT", params, body: { label } });
}

/** Open a session with a token; the service answers with a cookie that scripts can't read. */
export function openSession(token) {
  return ask("/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
}
