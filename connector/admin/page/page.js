// Follows /status and shows it. Says when it cannot, and since when.

import { Chart } from "./charts.js";
import { byId, make, place, say } from "./dom.js";
import { Operations } from "./operations.js";
import { Lanes, showConfiguration, showDestinations, showLetters, showPartitions } from "./tables.js";
import { count, rate, time, UNKNOWN } from "./words.js";

const EVERY = 2000;
const SLOWEST = 30000;
const PATIENCE = 10000;
const MOST_LANES = 200;

const lanes = new Lanes();
const operations = new Operations(() => follow());
const charts = {
  lag: new Chart(byId("charts"), { name: "Behind", unit: "records", series: [{ name: "Records that wait in Kafka" }] }),
  flow: new Chart(byId("charts"), {
    name: "Flow", unit: "a second",
    series: [{ name: "Records read" }, { name: "Rows delivered", look: "second" }],
  }),
  calls: new Chart(byId("charts"), {
    name: "Calls to TikTok", unit: "a second", series: [{ name: "Calls" }], bound: "this replica's share",
  }),
};

let timer;
let turn = 0;
let failures = 0;
let lostSince = null;
let hasConfiguration = false;
let announced = "";

async function ask() {
  const query = new URLSearchParams({ lanes: MOST_LANES, configuration: hasConfiguration ? "no" : "yes" });
  const find = byId("find").value.trim();
  if (find) query.set("find", find);
  const answer = await fetch(`/status?${query}`, { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  if (answer.status === 401) {
    location.reload();
    return new Promise(() => {}); // the page is on its way out
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function follow() {
  clearTimeout(timer);
  turn += 1;
  const mine = turn;
  let status;
  try {
    status = await ask();
  } catch {
    if (mine === turn) lost();
    return;
  }
  if (mine !== turn) return; // asked again meanwhile: what is newer is shown
  failures = 0;
  if (lostSince !== null) announce("The connection is back.");
  lostSince = null;
  show(status);
  later(EVERY);
}

function later(wait) {
  clearTimeout(timer);
  timer = setTimeout(follow, wait);
}

function lost() {
  if (lostSince === null) {
    lostSince = new Date();
    announce("The connection is lost. The page shows what was known before.");
  }
  const wait = Math.min(SLOWEST, EVERY * 2 ** failures);
  failures += 1;
  const following = byId("following");
  following.dataset.state = "lost";
  say(following, `Connection lost since ${time(lostSince)}; next try in ${Math.round(wait / 1000)} s`);
  later(wait);
}

function show(status) {
  say(byId("version"), status.version);
  const following = byId("following");
  following.dataset.state = "live";
  say(following, `Live, ${time(status.at)}`);
  showPerson(status.access);
  showHeadline(status.headline);
  showNumbers(status);
  showCharts(status);
  operations.show(status);
  lanes.show(status);
  showDestinations(status);
  showPartitions(status);
  showLetters(status);
  if (status.configuration) {
    showConfiguration(status.configuration);
    hasConfiguration = true;
  }
}

function showPerson(access) {
  byId("person").hidden = access.name === null;
  say(byId("who"), access.name === null ? "" : `${access.name}, may ${access.may_operate ? "operate" : "view"}`);
  byId("openness").hidden = access.has_tokens;
}

function showHeadline(headline) {
  const marks = { ok: "", notice: "◆ ", trouble: "■ " };
  byId("headline").dataset.level = headline.level;
  say(byId("headline-text"), headline.text);
  document.title = `${marks[headline.level]}${headline.text} · TikTok audience connector`;
  const notes = byId("notes");
  while (notes.children.length < headline.notes.length) notes.append(make("li"));
  place(notes, [...notes.children].slice(0, headline.notes.length));
  headline.notes.forEach((note, index) => say(notes.children[index], note));
  if (announced && announced !== headline.text) announce(headline.text);
  announced = headline.text;
}

function showNumbers({ history, limits, partitions }) {
  const lags = partitions.map((one) => one.lag).filter((lag) => lag !== null);
  say(byId("lag"), lags.length === 0 ? UNKNOWN : count(lags.reduce((sum, lag) => sum + lag)));
  say(byId("records"), rate(history.records_per_second.at(-1)));
  say(byId("rows"), rate(history.rows_per_second.at(-1)));
  say(byId("pending"), count(limits.pending_rows));
  say(byId("in-flight"), count(limits.in_flight_requests));
  const [used, share] = [limits.used_calls_per_second, limits.share_calls_per_second];
  const part = used === null || share === 0 ? null : Math.min(1, used / share);
  say(byId("used"), part === null ? UNKNOWN : `${Math.round(100 * part)} %`);
  say(byId("used-of"), `${rate(used)} of ${rate(share)} calls/s`);
  const meter = byId("meter");
  meter.setAttribute("aria-valuenow", Math.round(100 * (part ?? 0)));
  meter.style.setProperty("--part", part ?? 0);
}

function showCharts({ at, history, limits }) {
  const times = history.at.map((text) => Date.parse(text));
  const points = (...columns) => times.map((when, index) => ({ at: when, values: columns.map((one) => one[index]) }));
  const now = Date.parse(at);
  charts.lag.show(points(history.lag_records), now);
  charts.flow.show(points(history.records_per_second, history.rows_per_second), now);
  charts.calls.show(points(history.calls_per_second), now, limits.share_calls_per_second || null);
}

function announce(text) {
  byId("announcer").textContent = text;
}

byId("find").addEventListener("input", () => later(250));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else follow();
});
follow();
