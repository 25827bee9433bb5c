// Stands between a viewer and the gateway. A request for images that is refused, fails or is cut is held: the viewer goes on
// waiting for it, a dialog covers the images and says why, and when the person resumes it is sent again, so that the viewer
// gets what is missing and never a hole.
//
//     <script src=".../leadglass-viewer.js" data-roots="/dicom-web /wado">
'use strict';

(() => {
  const roots = document.currentScript.dataset.roots.split(' ');
  const LOGIN = '/.leadglass/v1/login';
  const SESSION = '/.leadglass/v1/session';
  const DEVICE = '/.leadglass/v1/session/device';
  const DECISION = 'Leadglass-Decision-Id';
  const PURPOSE = 'Leadglass-Purpose';
  const RETRY_MS = 300;
  const LOST = {
    title: 'The connection was lost',
    detail: 'The gateway could not be reached, or it ended the transfer before the image was whole.',
    remediation: ['Check the network of this computer, then try again.'],
  };
  const send = window.fetch.bind(window);

  /** Whether a request is for the archive, by its address. */
  const ours = (address) => {
    const url = new URL(address, document.baseURI);
    return url.origin === location.origin && roots.some((root) => `${url.pathname}/`.startsWith(`${root}/`));
  };
  /** Whether an answer means that something the person should see is not shown. What the viewer asked wrongly is its own. */
  const withheld = (status) => status >= 400 && ![400, 406, 415, 501].includes(status);
  /** To what end the person looks, when the viewer's configuration says so: a research view is shown for one alone. */
  const purpose = () => window.leadglass?.purpose;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // --- what is held -------------------------------------------------------------------------------------------------
  let waiting = []; // of requests that are held: each resolves when it is to be sent again
  let leaving = false;
  for (const type of ['pagehide', 'pageshow']) addEventListener(type, () => { leaving = type === 'pagehide'; });

  /** Hold a request until the person resumes. */
  const hold = (trouble) =>
    new Promise((again) => {
      waiting.push(again);
      cover(trouble);
    });
  const resume = () => {
    const held = waiting;
    waiting = [];
    uncover();
    for (const again of held) again();
  };

  /** Turn what a refusal leads to into links that come back to this page. The gateway knows the request alone. */
  const links = (ways) =>
    (Array.isArray(ways) ? ways : [])
      .filter((way) => String(way.path).startsWith('/.leadglass/'))
      .map((way) => {
        const url = new URL(way.path, location.origin);
        const reads = url.searchParams.has('decision'); // only tells something: another tab keeps the images
        if (!reads) url.searchParams.set('return', location.pathname + location.search);
        return { words: String(way.words), path: url.pathname + url.search, ...(reads && { target: '_blank', rel: 'noopener' }) };
      });

  /** Turn an answer into words. */
  const words = (status, text, challenge, decision) => {
    let told = {};
    try {
      told = JSON.parse(text);
    } catch {
      // a proxy in between, or a body that was cut
    }
    const known = typeof told.detail === 'string';
    const trouble = known ? told : { ...LOST, title: `The archive answered ${status}` };
    const query = new URLSearchParams({ return: location.pathname + location.search });
    for (const [name, value] of (challenge ?? '').matchAll(/(acr_values|max_age)="([^"]*)"/g).map((m) => [m[1], m[2]])) {
      query.set(name, value);
    }
    return {
      title: trouble.title,
      detail: trouble.detail,
      remediation: trouble.remediation ?? [],
      reasons: told.reasons ?? [],
      decision: told.decision_id ?? decision,
      ways: links(told.ways),
      signIn: status === 401 ? `${LOGIN}?${query}` : null,
      device: (told.reasons ?? []).some((code) => code.startsWith('device-')) ? `${DEVICE}?${query}` : null,
    };
  };

  // --- fetch --------------------------------------------------------------------------------------------------------
  /** Fetch until it is answered whole. One that changes something is sent once, and a refusal of it is only told. */
  const fetched = async (request) => {
    const once = request.method !== 'GET';
    for (let broken = 0; ; ) {
      let decision = null;
      let trouble = LOST;
      try {
        const response = await send(once ? request : request.clone());
        decision = response.headers.get(DECISION);
        if (!withheld(response.status)) {
          if (once || response.body === null) return response;
          // A viewer that reads on its own would keep the pieces of a reply that breaks off.
          const { status, statusText, headers, url } = response;
          const whole = new Response(await response.arrayBuffer(), { status, statusText, headers });
          return Object.defineProperty(whole, 'url', { value: url });
        }
        const text = await response.clone().text();
        trouble = words(response.status, text, response.headers.get('WWW-Authenticate'), decision);
        if (once) {
          cover(trouble, false);
          return response;
        }
      } catch (error) {
        if (leaving || once || request.signal.aborted) throw error;
        broken += 1;
        if (broken % 2) {
          await pause(RETRY_MS);
          continue;
        }
      }
      await hold({ ...trouble, decision: trouble.decision ?? decision });
    }
  };
  window.fetch = (input, init) => {
    const request = new Request(input, init);
    if (!ours(request.url)) return send(request);
    if (purpose()) request.headers.set(PURPOSE, purpose());
    return fetched(request);
  };

  // --- XMLHttpRequest -----------------------------------------------------------------------------------------------
  const ENDS = ['readystatechange', 'load', 'error', 'timeout', 'loadend'];

  class Held extends XMLHttpRequest {
    #asked = null; // what to ask again: null while it is none of ours
    #broken = 0;
    #state = 'sent';
    #decision = null;

    constructor() {
      super();
      // The first to listen: what is held never reaches those who listen later.
      for (const type of ENDS) this.addEventListener(type, (event) => this.#heard(event));
    }

    open(method, address, async = true, ...rest) {
      this.#asked = async && method.toUpperCase() === 'GET' && ours(address) ? { method, address, rest, fields: [] } : null;
      this.#broken = 0;
      this.#state = 'sent';
      super.open(method, address, async, ...rest);
      if (purpose() && ours(address)) this.setRequestHeader(PURPOSE, purpose());
    }

    setRequestHeader(name, value) {
      this.#asked?.fields.push([name, value]);
      super.setRequestHeader(name, value);
    }

    abort() {
      this.#asked = null;
      super.abort();
    }

    #heard(event) {
      if (this.#asked === null || leaving) return;
      if (this.#state !== 'sent') {
        event.stopImmediatePropagation();
        return;
      }
      if (this.readyState === 2) this.#decision = this.getResponseHeader(DECISION);
      const bad = withheld(this.status);
      if (bad) event.stopImmediatePropagation(); // from its head on
      if (this.readyState !== 4 || !(bad || this.status === 0)) return;
      event.stopImmediatePropagation();
      this.#state = 'held';
      void this.#recover(bad);
    }

    async #recover(refused) {
      if (refused) {
        const challenge = this.getResponseHeader('WWW-Authenticate');
        await hold(words(this.status, await this.#text(), challenge, this.#decision));
      } else {
        this.#broken += 1;
        await (this.#broken % 2 ? pause(RETRY_MS) : hold({ ...LOST, decision: this.#decision }));
      }
      const asked = this.#asked;
      if (asked === null) return; // the viewer has given it up meanwhile
      super.open(asked.method, asked.address, true, ...asked.rest);
      for (const [name, value] of asked.fields) super.setRequestHeader(name, value);
      this.#state = 'sent';
      super.send();
    }

    async #text() {
      const body = this.responseType === '' || this.responseType === 'text' ? this.responseText : this.response;
      if (body instanceof ArrayBuffer) return new TextDecoder().decode(body);
      if (body instanceof Blob) return body.text();
      return typeof body === 'string' ? body : JSON.stringify(body);
    }
  }
  window.XMLHttpRequest = Held;

  // --- what the person sees -----------------------------------------------------------------------------------------
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host{all:initial;color-scheme:light dark;--ground:#0b1116;--card:#fff;--ink:#15202b;--soft:#51606f;--line:#d7dee5;--go:#0b6e75;--mark:#0b6e75;font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
    @media (prefers-color-scheme:dark){:host{--card:#182129;--ink:#eef3f7;--soft:#a9b7c4;--line:#2c3a46;--go:#0f7d85;--mark:#5cc8cf}}
    *{box-sizing:border-box}
    dialog{width:min(36rem,calc(100vw - 2rem));max-height:calc(100vh - 2rem);overflow:auto;margin:auto;padding:2rem;border:1px solid var(--line);border-top:4px solid var(--mark);border-radius:.6rem;background:var(--card);color:var(--ink)}
    dialog::backdrop{background:var(--ground,#0b1116)}
    h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25} h2{margin:1.25rem 0 .25rem;font-size:1rem}
    p,ul{margin:0} ul{padding-left:1.2rem} #note{margin-top:.5rem;font-weight:600}
    .acts{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}
    a,button{padding:.6rem 1.1rem;border:1px solid transparent;border-radius:.4rem;background:var(--go);color:#fff;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
    .quiet{background:transparent;color:var(--ink);border-color:var(--soft)}
    a:focus-visible,button:focus-visible{outline:3px solid var(--mark);outline-offset:3px}
    dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1.5rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
    dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,Menlo,Consolas,monospace}
    .banner{position:fixed;inset:0 0 auto;z-index:2147483647;display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;padding:.5rem 1rem;background:#7a1f1f;color:#fff;font-weight:600}
    .banner[hidden]{display:none} .banner button{padding:.25rem .75rem;background:#fff;color:#5c1414}`);

  const make = (tag, text = '', attributes = {}) => {
    const element = Object.assign(document.createElement(tag), { textContent: text });
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const host = make('leadglass-viewer');
  const shadow = host.attachShadow({ mode: 'open' });
  shadow.adoptedStyleSheets = [sheet];
  const dialog = make('dialog', '', { role: 'alertdialog', 'aria-labelledby': 'title', 'aria-describedby': 'detail note' });
  const banner = make('div', '', { class: 'banner', role: 'status', hidden: '' });
  shadow.append(dialog, banner);
  let shown = null;
  let covers = true; // whether images are missing, or something else is said

  const button = (label, act, kind = '') => {
    const made = make('button', label, { type: 'button', class: kind });
    made.addEventListener('click', act);
    return made;
  };
  /** Go on looking at what is here, under a banner that does not go away. */
  const uncoverIncomplete = () => {
    dialog.close();
    const say = make('span', 'Incomplete: images are missing.');
    banner.replaceChildren(say, button('Why', () => draw(shown)), button('Try again', resume));
    banner.hidden = false;
  };
  const draw = (trouble) => {
    shown = trouble;
    const acts = make('div', '', { class: 'acts' });
    if (trouble.signIn) acts.append(make('a', 'Sign in', { href: trouble.signIn }));
    else if (trouble.device) acts.append(make('a', 'Check this device', { href: trouble.device }));
    if (covers) {
      acts.append(button('Try again', resume, acts.firstElementChild ? 'quiet' : ''));
      acts.append(button('Look at what is here', uncoverIncomplete, 'quiet'));
    } else {
      acts.append(button('Close', uncover, 'quiet'));
    }
    for (const { words: label, path: href, ...more } of trouble.ways ?? []) {
      acts.append(make('a', label, { href, class: 'quiet', ...more }));
    }
    const facts = make('dl');
    for (const [name, value] of [['Reason', (trouble.reasons ?? []).join(', ')], ['Decision id', trouble.decision]]) {
      if (value) facts.append(make('dt', name), make('dd', value));
    }
    const fixes = make('ul');
    fixes.append(...trouble.remediation.map((fix) => make('li', fix)));
    dialog.replaceChildren(
      make('h1', trouble.title, { id: 'title' }),
      make('p', trouble.detail, { id: 'detail' }),
      make('p', covers ? 'The images shown are not complete.' : '', { id: 'note' }),
      make('h2', 'What you can do'), fixes, acts, facts,
    );
    banner.hidden = true;
    if (!host.isConnected) document.body.append(host);
    if (!dialog.open) dialog.showModal();
    acts.firstElementChild.focus();
  };
  /** Show a trouble. The first of several is enough to read: it caused the rest. */
  const cover = (trouble, missing = true) => {
    if (missing) document.documentElement.dataset.leadglass = 'incomplete';
    if ((dialog.open && (covers || !missing)) || !banner.hidden) return;
    covers = missing;
    if (document.body) draw(trouble);
    else addEventListener('DOMContentLoaded', () => draw(trouble), { once: true });
  };
  const uncover = () => {
    delete document.documentElement.dataset.leadglass;
    banner.hidden = true;
    if (dialog.open) dialog.close();
  };
  dialog.addEventListener('cancel', (event) => event.preventDefault()); // Escape must not show what it covers

  // --- coming back --------------------------------------------------------------------------------------------------
  /** Resume by itself when the person has signed in elsewhere, or the network is back. */
  const look = async () => {
    if (!waiting.length || document.visibilityState !== 'visible') return;
    const told = await send(SESSION, { headers: { Accept: 'application/json' } }).then((reply) => reply.json(), () => null);
    if (told?.signed_in && shown?.signIn) resume();
  };
  // device.js, where it is on the page, proves again and again which device this is.
  document.addEventListener('leadglass-device', ({ detail }) => {
    if (detail.state === 'proven' && waiting.length && shown?.device) resume();
  });
  addEventListener('focus', look);
  document.addEventListener('visibilitychange', look);
  addEventListener('online', () => { if (waiting.length && !shown?.reasons?.length) resume(); });
})();
