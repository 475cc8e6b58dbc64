// Making and changing elements. Text is set as text, never as markup: nothing that comes from outside is code here.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a text stands for itself, null for nothing. */
export function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same, of a drawing. */
export function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set a text, only if it differs: what somebody has selected stays selected. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show these elements and no others within the parent. Those that are there already are not touched. */
export function place(parent, elements) {
  elements.forEach((element, index) => {
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
  while (parent.children.length > elements.length) parent.lastElementChild.remove();
}

/** Rows of a table's body by key. Each is made once, and then written again cell by cell. */
export class Rows {
  constructor(table, keyOf, makeCells, writeCells) {
    this.body = table.tBodies[0];
    this.keyOf = keyOf;
    this.makeCells = makeCells;
    this.writeCells = writeCells;
    this.rows = new Map();
  }

  show(items) {
    const kept = new Map();
    for (const item of items) {
      const key = this.keyOf(item);
      const row = this.rows.get(key) ?? this.makeRow();
      this.writeCells(row.cells, item);
      kept.set(key, row);
    }
    this.rows = kept;
    place(this.body, [...kept.values()].map((row) => row.element));
  }

  makeRow() {
    const cells = this.makeCells();
    return { cells, element: make("tr", { role: "row" }, ...Object.values(cells).map((cell) => cell.element ?? cell)) };
  }
}
