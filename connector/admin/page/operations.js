// Pause, resume, send now: for those who may, and not without asking back.

import { byId, say } from "./dom.js";

const OPERATIONS = {
  pause: {
    title: "Pause intake?",
    text: "This replica reads no further records until somebody resumes. What it has read is still delivered and"
      + " committed, and it keeps its partitions. Other replicas go on.",
    confirm: "Pause intake",
    done: { done: "Intake is paused.", unchanged: "Intake was paused already." },
  },
  resume: {
    title: "Resume intake?",
    text: "This replica reads on from where it stopped.",
    confirm: "Resume intake",
    done: { done: "Intake goes on.", unchanged: "Intake was not paused by anybody." },
  },
  flush: {
    title: "Send what waits now?",
    text: "Changes that wait for company are sent at once, within the limit of calls. The calls are smaller, so this"
      + " uses more of the allowance.",
    confirm: "Send now",
    done: { done: "What waited is due now." },
  },
};

export class Operations {
  /** `performed` is called when something was done, so that the page shows it at once. */
  constructor(performed) {
    this.performed = performed;
    this.dialog = byId("dialog");
    for (const name of Object.keys(OPERATIONS)) byId(name).addEventListener("click", () => this.ask(name));
    this.dialog.addEventListener("close", () => {
      if (this.dialog.returnValue === "confirm") this.perform(this.asked);
    });
  }

  show(status) {
    byId("operations").hidden = !status.access.may_operate;
    const isPaused = status.intake.reasons.includes("operator");
    const focused = document.activeElement;
    byId("pause").hidden = isPaused;
    byId("resume").hidden = !isPaused;
    if (focused?.hidden) byId(isPaused ? "resume" : "pause").focus();
  }

  ask(name) {
    this.asked = name;
    say(byId("dialog-title"), OPERATIONS[name].title);
    say(byId("dialog-text"), OPERATIONS[name].text);
    say(byId("dialog-confirm"), OPERATIONS[name].confirm);
    this.dialog.returnValue = "";
    this.dialog.showModal();
  }

  async perform(name) {
    const outcome = byId("outcome");
    try {
      const answer = await fetch(`/${name}`, { method: "POST", headers: { "X-Connector-Page": "1" } });
      const said = await answer.json();
      say(outcome, answer.ok ? OPERATIONS[name].done[said.outcome] : `Refused: ${said.reason}.`);
    } catch {
      say(outcome, "There was no answer: look whether it was done.");
    }
    this.performed();
  }
}
