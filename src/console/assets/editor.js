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
  // Painting every character of a huge file would make typing slow.
  const tooLong = source.value.length > 300000;
  let marks = [];
  let tab = document.querySelector("#tabs [aria-current]")?.value || "check";
  const begun = source.value;
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

  function span(text, name) {
    const element = document.createElement("span");
    element.className = name;
    element.textContent = text;
    return element;
  }

  /** Offsets of the findings, in the text as it is now. */
  function underlines(text) {
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    // Columns count characters, and some have two units here.
    const offset = (line, column) => {
      const start = starts[line - 1];
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

  function draw() {
    const text = source.value;
    const lines = text.split("\n").length;
    const numbers = document.createDocumentFragment();
    const worst = new Map();
    for (const mark of marks) if (!worst.get(mark.line)) worst.set(mark.line, mark.bad);
    for (const mark of marks) if (mark.bad) worst.set(mark.line, true);
    for (let line = 1; line <= lines; line += 1) {
      if (worst.has(line)) numbers.append(span(String(line), worst.get(line) ? "bad" : "warn"), "\n");
      else numbers.append(`${line}\n`);
    }
    gutter.replaceChildren(numbers);
    const drawn = document.createDocumentFragment();
    if (tooLong) {
      drawn.append(text);
    } else {
      const under = underlines(text);
      let at = 0;
      for (const [piece, name] of pieces(text)) {
        let rest = piece;
        while (rest) {
          const mark = under.find((mark) => mark.to > at);
          const inside = mark && mark.from <= at;
          const end = mark ? (inside ? mark.to : mark.from) : Infinity;
          const now = rest.slice(0, Math.max(1, end - at));
          const classes = [name, inside ? mark.name : ""].filter(Boolean).join(" ");
          drawn.append(classes ? span(now, classes) : now);
          at += now.length;
          rest = rest.slice(now.length);
        }
      }
    }
    drawn.append("\n");
    paint.replaceChildren(drawn);
  }

  /** Puts the cursor on a line, and the line into sight. */
  function go(line, column = 1) {
    const lines = source.value.split("\n").slice(0, line - 1);
    const at = lines.reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
    source.focus({ preventScroll: true });
    source.setSelectionRange(at, at);
    const height = gutter.scrollHeight / Math.max(1, source.value.split("\n").length);
    code.scrollTop = Math.max(0, (line - 4) * height);
    code.scrollLeft = 0;
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
      const answer = await fetch("/rules/look", { method: "POST", body, headers: { Accept: "text/html" }, signal: asking.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("part");
      if (!fresh) throw new Error(answer.statusText);
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
  // Whoever sends a form means to leave.
  addEventListener("submit", (event) => {
    leaving = !event.defaultPrevented;
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
    if (event.key === "Enter" && event.target.id === "try-message") {
      event.preventDefault();
      look("try-it");
    }
  });
  addEventListener("beforeunload", (event) => {
    const mine = source.value !== begun && form.querySelector("button[value=save]");
    if (mine && !leaving) event.preventDefault();
  });

  if (part.querySelector(".findings, .verdict, .try, .diff")) shown();
  else look("check");
  const line = Number(form.dataset.line);
  if (line > 0) {
    go(line);
    const text = source.value.split("\n")[line - 1] || "";
    if (/= ""$/.test(text)) {
      const at = source.selectionStart + text.length - 1;
      source.setSelectionRange(at, at);
    }
  }
})();
