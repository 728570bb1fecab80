// Listens to the folders again: starts a scan, follows its progress, also one that was started before this
// page was loaded, cancels it, and says what could not be read.

import { ask, askJson, events } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { byId, h } from "../base/dom.js";
import { emit, on, state } from "../base/state.js";
import { clock, count, heardSoFar, songs } from "../base/words.js";

const start = byId("scan-start");
const strip = byId("scan-line");
const bar = byId("scan-strip");
const stripSaid = byId("scan-strip-said");
const cancel = byId("scan-cancel");
const said = byId("scan-said");
const failures = byId("scan-failures");
let follows = false;

// While a scan runs the list is fetched again now and then; in a large library that costs the service more.
const MOST_FAILURES = 500; // shown; the heading says how many there are
const SMALL = 2000;
const SOON_MS = 3000;
const LATER_MS = 30000;
let lastShown = 0;

export function startScan() {
  start.addEventListener("click", startScanning);
  cancel.addEventListener("click", stop);
  // A scan that another page, or a program, has started.
  on("scan", (data) => data?.state === "running" && reattach());
  on("ready", showLibrary);
  on("list", showLibrary);
}

/** Listen to what is new in the folders. */
export function startScanning() {
  if (!follows) follow({ method: "POST" });
}

/** Follow a scan that runs already. */
export async function reattach() {
  if (follows) return;
  try {
    const { state: now } = await askJson("/library/scan");
    if (now === "running") await follow({ headers: { Accept: "text/event-stream" } });
  } catch (error) {
    sayError(error);
  }
}

function showLibrary() {
  const { health } = state;
  if (!health || health.n_songs === undefined) return;
  const folders = health.folders ?? [];
  start.disabled = !folders.length;
  byId("library-said").textContent = songs(state.total >= 0 ? state.total : health.n_songs);
  if (!folders.length)
    said.textContent = "To look for new songs, start with a folder: sevensongs serve FOLDER";
  start.title = folders.join("\n");
}

async function follow(options) {
  follows = true;
  busy(true);
  emit("scan", { state: "running", progress: null });
  lastShown = performance.now();
  said.textContent = "";
  failures.hidden = true;
  try {
    const response = await ask("/library/scan", options);
    for await (const { event, data } of events(response)) {
      if (event === "progress") {
        showProgress(data);
        emit("scan", { state: "running", progress: data });
      }
      if (event === "done") finish(data);
      else if (event === "error") throw new Error(data.detail || data.title);
    }
  } catch (error) {
    said.textContent = error.message;
    sayError(error);
  } finally {
    follows = false;
    busy(false);
    emit("scan", null);
  }
}

async function stop() {
  cancel.disabled = true;
  cancel.textContent = "Stopping …";
  try {
    await ask("/library/scan", { method: "DELETE" });
  } catch (error) {
    sayError(error);
  }
}

function busy(now) {
  const focused = document.activeElement === cancel || document.activeElement === start;
  start.hidden = now;
  strip.hidden = !now;
  cancel.hidden = !now;
  cancel.disabled = false;
  cancel.textContent = "Stop listening";
  if (now) {
    bar.removeAttribute("value");
    stripSaid.textContent = "Looking for songs …";
  }
  if (focused) (now ? cancel : start).focus({ preventScroll: true });
}

function showProgress({ n_done, n_total, failed, wall_s, stage = "all" }) {
  if (performance.now() - lastShown > (state.total < SMALL ? SOON_MS : LATER_MS)) {
    lastShown = performance.now();
    emit("library"); // what was heard so far
  }
  if (n_total) {
    bar.max = n_total;
    bar.value = n_done;
  }
  const left = n_done > 5 && wall_s > 2 ? `, ${clock((wall_s / n_done) * (n_total - n_done))} left` : "";
  const bad = failed ? `, ${count(failed)} not readable` : "";
  stripSaid.textContent = `${heardSoFar(n_done, n_total, stage)}${bad}${left}`;
}

async function finish({ found, embedded, cached, failed, cancelled, wall_s }) {
  const how = cancelled ? "Stopped" : `Found ${songs(found)}`;
  const known = cached ? `, ${count(cached)} known already` : "";
  const words = `${how}: ${count(embedded)} heard in ${clock(wall_s)}${known}.`;
  said.textContent = words;
  say(words);
  showFailures(failed ?? []);
  state.health = await askJson("/health").catch(() => state.health);
  showLibrary();
  emit("library");
}

function showFailures(failed) {
  failures.hidden = !failed.length;
  const files = failed.length === 1 ? "file" : "files";
  failures.querySelector("summary").textContent = `${count(failed.length)} ${files} could not be read`;
  failures
    .querySelector("ul")
    .replaceChildren(
      ...failed
        .slice(0, MOST_FAILURES)
        .map(({ path, error }) => h("li", {}, h("bdi", { class: "path" }, path), h("span", {}, error))),
    );
}
