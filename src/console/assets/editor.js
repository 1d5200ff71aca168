// The editor of rule files: line numbers, colours, findings at their places, answers while one types. Without it the text
// is a plain field, and the buttons do the same.
"use strict";

(() => {
  const form = document.getElementById("editor");
  const source = document.getElementById("source");
  const part = document.getElementById("part");
  const code = source.closest(".code");
  const gutter = code.querySelector(".gutter");
  const paint = code.querySelector(".paint");
  const file = form.dataset.file;
  // Taking a huge file apart at every key would make typing slow.
  const tooLong = source.value.length > 300000;
  /** Lines beyond what is in sight that are drawn too, for whoever scrolls. */
  const MARGIN = 60;
  let marks = [];
  let tab = document.querySelector("#tabs [aria-current]")?.value || "check";
  const begun = source.value;
  const maySave = form.querySelector("button[value=save]") !== null;
  const isUnsaved = () => maySave && (source.value !== begun || form.hasAttribute("data-unsaved"));
  let leaving = false;

  // Colours

  /** The pieces of TOML: [text, class]. */
  function pieces(text) {
    const found = [];
    const pattern = /("""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'[^'\n]*'?)|(#[^\n]*)|(^[ \t]*\[\[?[^\]\n]*\]\]?)|(^[ \t]*[\w.-]+(?=[ \t]*=)|[\w-]+(?=[ \t]*=[^=]))|(\b(?:true|false)\b|[+-]?\d[\d_:.TZ+-]*)/gm;
    const classes = ["t-text", "t-note", "t-head", "t-key", "t-value"];
    let at = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index > at) found.push([text.slice(at, match.index), ""]);
      found.push([match[0], classes[match.slice(1).findIndex((group) => group !== undefined)]]);
      at = match.index + match[0].length;
    }
    if (at < text.length) found.push([text.slice(at), ""]);
    return found;
  }

  // The same text is taken apart once.
  let apart = { text: null, pieces: [] };
  function piecesOf(text) {
    if (apart.text !== text) apart = { text, pieces: tooLong ? [[text, ""]] : pieces(text) };
    return apart.pieces;
  }

  function span(text, name) {
    const element = document.createElement("span");
    element.className = name;
    element.textContent = text;
    return element;
  }

  /** Offsets of the findings, in the text as it is now. */
  function underlines(text) {
    const lines = starts(text);
    // Columns count characters, and some have two units here.
    const offset = (line, column) => {
      const start = lines[line - 1];
      if (start === undefined) return text.length;
      let at = start;
      for (let n = 1; n < column && at < text.length; n += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
      return at;
    };
    return marks
      .map((mark) => ({ from: offset(mark.line, mark.column), to: offset(mark.endLine, mark.endColumn), name: mark.bad ? "u-bad" : "u-warn" }))
      .filter((mark) => mark.to > mark.from)
      .sort((a, b) => a.from - b.from);
  }

  /** Where each line begins. */
  function starts(text) {
    const found = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) found.push(at + 1);
    return found;
  }

  // Only what is in sight is drawn, in a frame as high as all of it: a file of a thousand rules opens like one of ten.
  const height = () => parseFloat(getComputedStyle(source).lineHeight);

  /** The lines that are in sight, and so many more: the first, and the one behind the last. */
  function inSight(lines, more) {
    const first = Math.floor(code.scrollTop / height()) - more;
    const last = Math.ceil((code.scrollTop + code.clientHeight) / height()) + more;
    return [Math.max(0, Math.min(first, lines - 1)), Math.min(lines, last)];
  }

  /** Leaves room for the lines that are not drawn. */
  function room(element, lines, first) {
    element.style.height = `calc(1.2rem + ${lines * height()}px)`;
    element.style.paddingTop = `calc(.6rem + ${first * height()}px)`;
  }

  function number(lines, [first, last]) {
    const worst = new Map();
    for (const mark of marks) if (mark.bad || !worst.has(mark.line)) worst.set(mark.line, mark.bad);
    const drawn = document.createDocumentFragment();
    for (let line = first + 1; line <= last; line += 1) {
      if (worst.has(line)) drawn.append(span(String(line), worst.get(line) ? "bad" : "warn"), "\n");
      else drawn.append(`${line}\n`);
    }
    room(gutter, lines, first);
    gutter.style.minWidth = `calc(${String(lines).length}ch + 1.2rem)`;
    gutter.replaceChildren(drawn);
  }

  /** The line that makes the page as wide as it is: Chinese characters are about twice as wide. */
  function widest(text) {
    let [best, most] = ["", 0];
    for (const line of text.split("\n")) {
      if (line.length * 2 <= most) continue;
      const width = line.length + (line.match(/[^\x00-\xff]/g) || []).length;
      if (width > most) [best, most] = [line, width];
    }
    return best;
  }

  function colour(text, from, to) {
    const drawn = document.createDocumentFragment();
    const under = underlines(text);
    let at = 0;
    for (const [piece, name] of piecesOf(text)) {
      let [begin, end] = [Math.max(at, from), Math.min(at + piece.length, to)];
      at += piece.length;
      while (begin < end) {
        const mark = under.find((mark) => mark.to > begin);
        const inside = mark && mark.from <= begin;
        const stop = Math.min(end, mark ? (inside ? mark.to : mark.from) : Infinity);
        const classes = [name, inside ? mark.name : ""].filter(Boolean).join(" ");
        const now = text.slice(begin, stop);
        drawn.append(classes ? span(now, classes) : now);
        begin = stop;
      }
      if (at >= to) break;
    }
    return drawn;
  }

  let drawn = [0, 0];
  function draw() {
    const text = source.value;
    const begins = starts(text);
    drawn = inSight(begins.length, MARGIN);
    const [first, last] = drawn;
    number(begins.length, drawn);
    room(paint, begins.length, first);
    const end = begins[last] ?? text.length;
    paint.replaceChildren(colour(text, begins[first], end), "\n", span(widest(text), "widest"));
  }

  code.addEventListener(
    "scroll",
    () => {
      const [first, last] = inSight(starts(source.value).length, 0);
      if (first < drawn[0] || last > drawn[1]) draw();
    },
    { passive: true },
  );

  function scrollTo(line) {
    code.scrollTop = Math.max(0, (line - 4) * height());
    code.scrollLeft = 0;
  }

  /** Puts the cursor on a line, and the line into sight. */
  function go(line, column = 1) {
    const lines = source.value.split("\n").slice(0, line - 1);
    const at = lines.reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
    source.focus({ preventScroll: true });
    source.setSelectionRange(at, at);
    scrollTo(line);
    if (!code.getBoundingClientRect().height || code.getBoundingClientRect().top < 0) code.scrollIntoView({ block: "nearest" });
  }

  // What it would do

  let asking;
  async function look(what) {
    asking?.abort();
    asking = new AbortController();
    const body = new URLSearchParams(new FormData(form));
    body.set("do", what);
    part.classList.add("working");
    part.setAttribute("aria-busy", "true");
    try {
      const { response, page } = await wx.page("/rules/look", { method: "POST", body, signal: asking.signal });
      const fresh = page.getElementById("part");
      if (!fresh) throw new Error(`${response.status} ${response.statusText}`);
      const typed = part.contains(document.activeElement) ? document.activeElement.name : null;
      part.replaceChildren(...fresh.childNodes);
      if (typed) part.querySelector(`[name="${typed}"]`)?.focus();
      shown();
    } catch (error) {
      if (error.name === "AbortError") return;
      wx.toast(error.message, true);
    }
    part.classList.remove("working");
    part.removeAttribute("aria-busy");
  }

  /** Takes from the part what belongs to the text. */
  function shown() {
    if (tab === "check") {
      marks = [...part.querySelectorAll("[data-line]")]
        .filter((item) => item.dataset.file === file)
        .map((item) => ({
          line: Number(item.dataset.line),
          column: Number(item.dataset.column),
          endLine: Number(item.dataset.endLine),
          endColumn: Number(item.dataset.endColumn),
          bad: item.classList.contains("bad"),
        }));
      draw();
    }
    near();
  }

  /** Shows the words of the rule that the cursor is in. */
  function near() {
    const list = part.querySelector(".words");
    if (!list) return;
    const line = source.value.slice(0, source.selectionStart).split("\n").length;
    const sections = [...new Set([...list.children].map((word) => Number(word.dataset.section)))];
    const current = Math.max(0, ...sections.filter((section) => section <= line));
    list.classList.toggle("near", current > 0);
    for (const word of list.children) word.classList.toggle("current", Number(word.dataset.section) === current);
  }

  function choose(name) {
    tab = name;
    for (const button of document.querySelectorAll("#tabs button")) {
      if (button.value === name) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  const later = wx.debounce(() => {
    if (tab === "check" || tab === "diff") look(tab);
  }, 450);

  code.classList.add("ready");
  draw();
  source.addEventListener("input", () => {
    // Where the findings stood nobody knows any more.
    marks = [];
    draw();
    keep();
    later();
  });
  document.addEventListener("selectionchange", () => document.activeElement === source && near());

  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.getAttribute("formaction") === "/rules/look") {
      event.preventDefault();
      choose(button.value.replace("-it", ""));
      look(button.value);
    }
  });
  // Whoever sends the text means to leave; any other form, as that for the language, would lose it.
  addEventListener("submit", (event) => {
    leaving = !event.defaultPrevented && event.target === form;
  });
  document.addEventListener("click", (event) => {
    const jump = event.target.closest("a.jump");
    const item = jump?.closest("[data-line]");
    const address = jump && new URL(jump.href);
    if (!address || address.searchParams.get("file") !== file) return;
    event.preventDefault();
    go(Number(address.searchParams.get("line") || 1), item ? Number(item.dataset.column) : 1);
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      const save = form.querySelector("button[value=save]");
      event.preventDefault();
      if (save) form.requestSubmit(save);
    }
    if (event.key === "Enter" && event.target.id === "try-message" && !event.isComposing) {
      event.preventDefault();
      look("try-it");
    }
  });
  addEventListener("beforeunload", (event) => {
    if (isUnsaved() && !leaving) event.preventDefault();
  });

  // What is not saved is kept in this tab, and offered when the file is opened again: after a session's end, or a slip.
  const place = `source:${file}`;
  const kept = document.getElementById("kept");
  function keep() {
    try {
      if (isUnsaved()) sessionStorage.setItem(place, JSON.stringify({ base: form.elements.base.value, text: source.value }));
      else sessionStorage.removeItem(place);
    } catch {
      // A tab that can't keep it still asks before one leaves.
    }
  }
  if (form.hasAttribute("data-saved")) {
    sessionStorage.removeItem(place);
    // What is written from here on is not saved, also when the page is loaded again.
    const here = new URL(location.href);
    here.searchParams.delete("saved");
    history.replaceState(history.state, "", here);
  }
  const before = JSON.parse(sessionStorage.getItem(place) || "null");
  if (form.hasAttribute("data-unsaved")) {
    keep();
  } else if (kept && before && before.text !== source.value) {
    kept.hidden = false;
    kept.addEventListener("click", (event) => {
      const what = event.target.closest("button")?.value;
      if (!what) return;
      kept.hidden = true;
      if (what === "drop") {
        sessionStorage.removeItem(place);
        return;
      }
      source.value = before.text;
      // Whoever changed the file since is not overwritten in silence.
      form.elements.base.value = before.base;
      source.dispatchEvent(new Event("input"));
    });
  }
  for (const link of document.querySelectorAll("a[data-drop]")) {
    link.addEventListener("click", () => {
      leaving = true;
      sessionStorage.removeItem(place);
    });
  }

  // The field's own text, which nobody sees, takes long to lay out where it is long: it comes once the page is shown.
  let seen = false;
  const see = () => {
    if (seen) return;
    seen = true;
    code.classList.add("seen");
    if (line === 0) return;
    go(line);
    const text = source.value.split("\n")[line - 1] || "";
    if (/= ""$/.test(text)) {
      const at = source.selectionStart + text.length - 1;
      source.setSelectionRange(at, at);
    }
  };
  const line = Number(form.dataset.line);
  if (line > 0) {
    scrollTo(line);
    draw();
  }
  source.addEventListener("focus", see);
  requestAnimationFrame(() => setTimeout(see));

  if (part.querySelector(".findings, .verdict, .try, .diff")) shown();
  else look("check");
})();
