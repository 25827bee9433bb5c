// Proves which device a session is open on: asks the gateway for a challenge, lets the agent on this computer sign it,
// and takes the proof back; again before it grows old, and when the page wakes.
//
// Viewers load it with <script src="/.leadglass/v1/device.js"></script>. It tells how it goes by the event
// `leadglass-device` on document, with detail {state: "asking" | "proven" | "missing" | "refused", text, fixes}, and
// looks again at once on the event `leadglass-device-check`.
(() => {
  "use strict";
  const DEVICE = "/.leadglass/v1/session/device";
  const PATIENCE = 60000; // the browser may be asking the person whether it may
  const AGAIN = [5, 15, 30, 60]; // seconds after a failure
  const landing = document.currentScript.dataset.return;
  let timer = 0;
  let failures = 0;
  let due = 0;
  let running = null;

  class Trouble extends Error {
    constructor(state, text, fixes) {
      super(text);
      this.state = state;
      this.fixes = fixes;
    }
  }

  function tell(state, text, fixes = []) {
    const part = (name) => document.querySelector(`[data-device="${name}"]`);
    if (part("status")) part("status").textContent = text;
    if (part("help")) part("help").hidden = fixes.length === 0;
    if (part("fixes")) {
      part("fixes").replaceChildren(
        ...fixes.map((fix) => Object.assign(document.createElement("li"), { textContent: fix })),
      );
    }
    document.dispatchEvent(new CustomEvent("leadglass-device", { detail: { state, text, fixes } }));
  }

  async function ask(url, options) {
    const reply = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE), ...options });
    const said = await reply.json();
    if (reply.ok) return said;
    const fixes = said.error === "clock" ? ["Set the clock of this computer."] : said.remediation || [];
    throw new Trouble("refused", said.detail, fixes);
  }

  function ours(body) {
    const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    return ask(DEVICE, { credentials: "same-origin", headers: { Accept: "application/json" }, ...sent });
  }

  async function signed(state) {
    try {
      const said = await ask(state.agent, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(state.challenge),
        credentials: "omit",
        mode: "cors",
        referrerPolicy: "no-referrer",
        targetAddressSpace: "loopback", // browsers that ask the person first (Local Network Access)
      });
      return said.proof;
    } catch (error) {
      if (error instanceof Trouble) throw error;
      throw new Trouble("missing", "No agent answers on this computer, so it is not known as one of yours.", [
        "Start leadglass-agent on this computer; if it is not there, ask your administrator for it.",
        "If your browser asked whether this site may reach this computer, allow it in the settings of the site.",
        "Then look again: this page does so by itself.",
      ]);
    }
  }

  async function prove() {
    let state = await ours();
    if (state.renew_in <= 0) {
      tell("asking", "Asking the agent of this computer. If your browser asks whether it may, allow it.");
      state = await ours({ proof: await signed(state) });
    }
    return state;
  }

  function later(seconds) {
    clearTimeout(timer);
    due = Date.now() + seconds * 1000;
    timer = setTimeout(look, seconds * 1000);
  }

  async function once() {
    try {
      const state = await prove();
      failures = 0;
      later(Math.max(1, state.renew_in));
      tell("proven", "This computer is known.");
      if (landing) location.replace(landing);
    } catch (error) {
      later(AGAIN[Math.min(failures, AGAIN.length - 1)]);
      failures += 1;
      if (error instanceof Trouble) tell(error.state, error.message, error.fixes);
      else tell("refused", "The gateway does not answer.", ["Check the network; this page tries again by itself."]);
    }
  }

  function look() {
    running = running || once().finally(() => (running = null));
  }

  function wake() {
    if (document.visibilityState === "visible" && Date.now() >= due) look();
  }

  for (const name of ["visibilitychange", "leadglass-device-check"]) {
    document.addEventListener(name, name === "visibilitychange" ? wake : look);
  }
  for (const name of ["pageshow", "focus", "online"]) addEventListener(name, wake);
  look();
})();
