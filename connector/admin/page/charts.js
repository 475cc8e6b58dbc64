// The last 15 minutes as curves. Each has its text beside it: what a curve shows can be read without seeing it.

import { draw, make, say } from "./dom.js";
import { compact, time, UNKNOWN } from "./words.js";

const SPAN = 15 * 60 * 1000;
const WIDTH = 600;
const HEIGHT = 100;

/** One chart of one or two series, with an upper bound if there is one. */
export class Chart {
  constructor(parent, { name, unit, series, bound }) {
    this.name = name;
    this.unit = unit;
    this.series = series;
    this.bound = bound;
    this.points = [];
    this.reading = make("span", { class: "reading" });
    this.drawing = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.most = make("span", { class: "most", "aria-hidden": "true" });
    this.nothing = make("p", { class: "nothing" }, "The first values come after some seconds.");
    const plot = make("div", { class: "plot" }, this.drawing, this.most, this.nothing);
    const ends = make("p", { class: "ends", "aria-hidden": "true" }, make("span", {}, "15 min ago"), make("span", {}, "now"));
    const caption = make("figcaption", {}, make("span", { class: "name" }, name), this.reading, this.legend());
    parent.append(make("figure", { class: "chart" }, caption, plot, ends));
    plot.addEventListener("pointermove", (event) => this.point(event));
    plot.addEventListener("pointerleave", () => this.leave());
  }

  legend() {
    const entries = this.series.length > 1 ? this.series.map((one) => [one.name, one.look ?? ""]) : [];
    if (this.bound) entries.push([this.bound, "bound"]);
    return make("span", { class: "legend" }, ...entries.map(([text, look]) => make("span", { class: look }, text)));
  }

  /** Show these points ({at, values}), oldest first, up to now. */
  show(points, now, bound = null) {
    this.points = points;
    this.now = now;
    const known = points.flatMap((point) => point.values).filter((value) => value !== null);
    const most = Math.max(0, bound ?? 0, ...known);
    const top = Math.max(1, most) * 1.05;
    this.nothing.hidden = known.length > 0;
    say(this.most, most > 0 ? compact(most) : "");
    this.drawing.replaceChildren(
      ...[0, 0.5, 1].map((part) => line("grid", 0, HEIGHT * part, WIDTH, HEIGHT * part)),
      ...(bound ? [line("bound", 0, y(bound, top), WIDTH, y(bound, top))] : []),
      ...this.series.flatMap((one, index) => this.curves(one, index, top)),
    );
    this.drawing.setAttribute("aria-label", this.inWords());
    if (this.cursorAt === undefined) say(this.reading, this.told(points.at(-1)));
    else this.mark();
  }

  curves(one, index, top) {
    const runs = [[]];
    for (const point of this.points) {
      if (point.values[index] === null) runs.push([]);
      else runs.at(-1).push([this.x(point.at), y(point.values[index], top)]);
    }
    return runs.filter((run) => run.length > 1).flatMap((run) => {
      const path = run.map(([left, down]) => `${left.toFixed(1)},${down.toFixed(1)}`).join("L");
      const area = `M${run[0][0].toFixed(1)},${HEIGHT}L${path}L${run.at(-1)[0].toFixed(1)},${HEIGHT}Z`;
      const curve = draw("path", { class: `curve ${one.look ?? ""}`, d: `M${path}` });
      return one.look ? [curve] : [draw("path", { class: "area", d: area }), curve];
    });
  }

  inWords() {
    const texts = this.series.map((one, index) => {
      const values = this.points.map((point) => point.values[index]).filter((value) => value !== null);
      if (values.length === 0) return `${one.name}: not known yet`;
      const last = this.points.at(-1).values[index];
      return `${one.name}: now ${last === null ? "not known" : compact(last)},`
        + ` lowest ${compact(Math.min(...values))}, highest ${compact(Math.max(...values))} ${this.unit}`;
    });
    return `${this.name} over the last 15 minutes. ${texts.join(". ")}.`;
  }

  told(point) {
    if (!point) return "";
    const values = point.values.map((value) => (value === null ? UNKNOWN : compact(value)));
    return `${values.join(" · ")} ${this.unit}`;
  }

  point(event) {
    const box = this.drawing.getBoundingClientRect();
    this.cursorAt = (event.clientX - box.left) / box.width;
    this.mark();
  }

  leave() {
    this.cursorAt = undefined;
    this.drawing.querySelector(".cursor")?.remove();
    say(this.reading, this.told(this.points.at(-1)));
  }

  mark() {
    const wanted = this.now - SPAN + this.cursorAt * SPAN;
    const away = (point) => Math.abs(point.at - wanted);
    const nearest = this.points.reduce((best, point) => (best && away(best) <= away(point) ? best : point), null);
    this.drawing.querySelector(".cursor")?.remove();
    if (!nearest) return;
    this.drawing.append(line("cursor", this.x(nearest.at), 0, this.x(nearest.at), HEIGHT));
    say(this.reading, `${time(nearest.at)}: ${this.told(nearest)}`);
  }

  x(at) {
    return Math.max(0, WIDTH * (1 - (this.now - at) / SPAN));
  }
}

const y = (value, top) => HEIGHT * (1 - value / top);

const line = (look, x1, y1, x2, y2) => draw("line", { class: look, x1, y1, x2, y2 });
