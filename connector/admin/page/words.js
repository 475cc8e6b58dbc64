// Numbers, times and states as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const UNKNOWN = "–";

export const count = (number) => (number === null || number === undefined ? UNKNOWN : whole.format(number));

/** A rate: whole, but for small ones. */
export function rate(number) {
  if (number === null || number === undefined) return UNKNOWN;
  return number < 10 ? fine.format(number) : whole.format(number);
}

/** Short, for axes: 7.5, 320, 1.2K. */
export function compact(number) {
  if (number < 10) return fine.format(number);
  return number < 1000 ? whole.format(number) : short.format(number);
}

/** A time of today by the clock, another with its day. */
export function time(text) {
  if (!text) return UNKNOWN;
  const at = new Date(text);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

export const STATES = { open: "Open", waiting: "Waiting", halted: "Halted" };

/** A count with its noun: "1 record", "2 records". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
