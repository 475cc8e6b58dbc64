// The tables: audiences, destinations, partitions, dead letters; and the configuration.

import { byId, make, place, Rows, say } from "./dom.js";
import { count, counted, STATES, time } from "./words.js";

const MOST_PARTITIONS = 200;
const MOST_KEYS = 500;
const WEIGHT = { halted: 0, waiting: 1, open: 2 };

const numberCell = (look = "") => make("td", { role: "cell", class: `number ${look}` });

function headCell() {
  const strong = make("span", { class: "strong" });
  const fine = make("span", { class: "fine" });
  return { element: make("th", { role: "rowheader", scope: "row" }, strong, " ", fine), strong, fine };
}

// A state, and why it is so: what it means, what to do, since when and when it is tried again.
function stateCell() {
  const state = make("span", { class: "state" });
  const lines = Array.from({ length: 3 }, () => make("span", { class: "why" }));
  lines[2].className = "detail";
  return { element: make("td", { role: "cell", class: "about" }, state, ...lines), state, lines };
}

function writeState(cell, item, advice, more = "") {
  const isTrouble = item.reason !== null;
  const shown = isTrouble && item.state === "open" ? "waiting" : item.state;
  cell.state.className = `state ${shown}`;
  say(cell.state, STATES[shown]);
  const since = item.since ? `since ${time(item.since)}` : "";
  const next = item.until ? `tried again at ${time(item.until)}` : "";
  const details = isTrouble ? [item.reason, since, next, more] : [more];
  const { meaning, remedy } = (isTrouble && advice[item.reason]) || {};
  const texts = [meaning ?? "", remedy ? `What to do: ${remedy}` : "", details.filter(Boolean).join(" · ")];
  cell.lines.forEach((line, index) => {
    say(line, texts[index]);
    line.hidden = texts[index] === "";
  });
}

export class Lanes {
  constructor() {
    this.sort = { by: "state", down: false };
    this.advice = {};
    this.rows = new Rows(
      byId("lanes"),
      (lane) => `${lane.destination} ${lane.audience}`,
      () => ({ name: headCell(), state: stateCell(), pending: numberCell(), calls: numberCell("roomy") }),
      (cells, lane) => this.write(cells, lane),
    );
    for (const head of document.querySelectorAll("#lanes [data-sort]")) {
      head.querySelector("button").addEventListener("click", () => this.sortBy(head.dataset.sort));
    }
  }

  show(status) {
    this.status = status;
    this.advice = status.advice;
    this.refused = new Map(status.destinations.map((one) => [one.name, one.reason]));
    const lanes = [...status.lanes].sort(this.order());
    this.rows.show(lanes);
    const counts = Object.entries(status.lane_counts).filter(([state, number]) => number || state === "open");
    say(byId("lane-counts"), counts.map(([state, number]) => `${count(number)} ${state}`).join(", "));
    const hidden = status.lanes_found - lanes.length;
    const below = byId("lanes-below");
    below.hidden = lanes.length > 0 && hidden === 0;
    say(below, lanes.length === 0 ? "No audience has that name."
      : `${count(hidden)} more are not shown: halted and waiting ones come first, then the fullest.`);
  }

  write(cells, lane) {
    say(cells.name.strong, lane.segment);
    say(cells.name.fine, `${lane.destination} · ${lane.audience}`);
    const isDestinations = lane.state === "halted" && this.refused.get(lane.destination) === lane.reason;
    if (isDestinations) writeState(cells.state, lane, {}, "with its destination");
    else writeState(cells.state, lane, this.advice, lane.state === "open" && lane.last_error ? `last: ${lane.last_error}` : "");
    say(cells.pending, count(lane.pending));
    say(cells.calls, count(lane.in_flight));
  }

  sortBy(column) {
    const down = this.sort.by === column ? !this.sort.down : column === "pending" || column === "in_flight";
    this.sort = { by: column, down };
    for (const head of document.querySelectorAll("#lanes [data-sort]")) {
      if (head.dataset.sort === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    if (this.status) this.show(this.status);
  }

  order() {
    const { by, down } = this.sort;
    const name = (lane) => `${lane.segment} ${lane.destination} ${lane.audience}`;
    const value = { name, state: (lane) => WEIGHT[lane.state], pending: (lane) => lane.pending,
      in_flight: (lane) => lane.in_flight }[by];
    const sign = down ? -1 : 1;
    return (one, other) => {
      const [mine, theirs] = [value(one), value(other)];
      if (mine === theirs) return name(one).localeCompare(name(other));
      return mine < theirs ? -sign : sign;
    };
  }
}

let advice = {};

const destinations = new Rows(
  byId("destinations"),
  (one) => one.name,
  () => ({ name: headCell(), state: stateCell() }),
  (cells, one) => {
    say(cells.name.strong, one.name);
    writeState(cells.state, one, advice);
  },
);

export function showDestinations(status) {
  advice = status.advice;
  destinations.show(status.destinations);
}

const partitions = new Rows(
  byId("partitions"),
  (one) => `${one.topic}:${one.partition}`,
  () => ({ name: headCell(), lag: numberCell(), position: numberCell("roomy"), uncommitted: numberCell() }),
  (cells, one) => {
    say(cells.name.strong, `${one.topic}:${one.partition}`);
    say(cells.name.fine, one.paused ? "paused" : "");
    say(cells.lag, count(one.lag));
    say(cells.position, count(one.position));
    say(cells.uncommitted, count(one.uncommitted));
  },
);

export function showPartitions(status) {
  const all = status.partitions;
  partitions.show(all.slice(0, MOST_PARTITIONS));
  const below = byId("partitions-below");
  const hidden = all.length - MOST_PARTITIONS;
  below.hidden = all.length > 0 && hidden <= 0;
  say(below, all.length === 0 ? "None: other replicas have all of them, or a rebalance is under way."
    : `${counted(hidden, "further partition")}: see /status.`);
}

const letters = new Rows(
  byId("letters"),
  (one) => `${one.topic} ${one.reason}`,
  () => ({ reason: headCell(), letters: numberCell(), at: numberCell() }),
  (cells, one) => {
    say(cells.reason.strong, one.reason);
    say(cells.reason.fine, one.topic);
    say(cells.letters, count(one.letters));
    say(cells.at, time(one.at));
  },
);

export function showLetters(status) {
  const all = status.dead_letters;
  letters.show([...all].sort((one, other) => other.letters - one.letters || one.reason.localeCompare(other.reason)));
  byId("letters-none").hidden = all.length > 0;
  byId("letters-more").hidden = all.length === 0;
}

/** The configuration as paths and values, a fold for each section. */
export function showConfiguration(configuration) {
  place(byId("configuration"), Object.entries(configuration).map(([section, value]) => {
    const pairs = [...flat(value, section)];
    const shown = pairs.slice(0, MOST_KEYS).flatMap(([path, text]) => [make("dt", {}, path), make("dd", {}, text)]);
    const more = pairs.length > MOST_KEYS ? make("p", { class: "below" }, `${counted(pairs.length - MOST_KEYS, "further key")}: see /status.`) : null;
    return make("details", {}, make("summary", {}, section), make("dl", { class: "keys" }, ...shown), more);
  }));
}

function* flat(value, path) {
  if (value === null || typeof value !== "object") yield [path, value === null ? "not set" : String(value)];
  else if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) yield [path, value.join(", ") || "none"];
  else if (Array.isArray(value)) for (const [index, one] of value.entries()) yield* flat(one, `${path}[${index}]`);
  else for (const [key, one] of Object.entries(value)) yield* flat(one, `${path}.${key}`);
}
