// What every page needs of a script; without it everything can still be read and sent.
"use strict";

document.documentElement.classList.add("script");

const wx = {
  /** Called with a fresh page when the log has changed, on pages whose body says data-stream or that have parts marked with data-live. */
  changed: [],

  /** A short notice that goes away by itself. */
  toast(text, bad = false) {
    const toast = document.createElement("div");
    toast.className = bad ? "toast bad" : "toast";
    toast.textContent = text;
    document.getElementById("toasts").append(toast);
    setTimeout(() => toast.remove(), bad ? 8000 : 4000);
  },

  /** Calls `run` once things have been quiet for a while. */
  debounce(run, milliseconds) {
    let timer;
    return (...args) => {
      clearTimeout(timer);
      timer = setTimeout(() => run(...args), milliseconds);
    };
  },

  /** Asks for a page of ours: the answer, and what it holds. Whoever is signed out is led to the door instead; that is an error, for none of it is what was asked for. */
  async page(address, init = {}) {
    const response = await fetch(address, { ...init, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const out = response.redirected && new URL(response.url).pathname === "/sign-in";
    signedOut(out);
    if (out) throw new Error(document.documentElement.dataset.signedOut);
    return { response, page };
  },

  /** Whether the reader is busy in an element: the focus is in it, or something is selected. */
  inUse(element) {
    const focus = document.activeElement;
    if (focus && focus !== document.body && element.contains(focus)) return true;
    const selection = getSelection();
    return !selection.isCollapsed && selection.containsNode(element, true);
  },

  /** The server's clock, by which its times are told. */
  now() {
    return Date.now() + ahead;
  },
};
window.wx = wx;

const opened = performance.getEntriesByType("navigation")[0];
const ahead = new Date(document.documentElement.dataset.now) - (performance.timeOrigin + (opened ? opened.responseStart : 0));

/** Says that nobody is signed in any more, until somebody is. */
function signedOut(out) {
  const told = document.getElementById("signed-out");
  if (!out) told?.remove();
  if (!out || told) return;
  const toast = document.createElement("a");
  toast.id = "signed-out";
  toast.className = "toast bad";
  toast.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  toast.textContent = document.documentElement.dataset.signedOut;
  document.getElementById("toasts").append(toast);
}

// A choice in a small form counts at once.
for (const form of document.querySelectorAll("form[data-instant]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// What can't be taken back is asked about.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A menu closes when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.me[open], details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.me[open], details.menu[open]")) menu.open = false;
  }
  // `/` leads to the page's search, as people know it from elsewhere.
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select, [contenteditable]")) {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
});

// Parts marked with data-live are drawn anew when the log changes. One page a round serves them all. While the page is hidden
// nothing is asked for and no stream is held, for browsers hold only six to one place; it catches up when it is seen again.
if (document.querySelector("[data-live], [data-stream]")) {
  /** Between rounds, in milliseconds: nobody reads faster. */
  const PACE = 2000;
  const root = document.documentElement;
  let known = Number(root.dataset.news);
  let behind = false;
  let busy = false;
  let last = 0;
  let timer = 0;
  // Parts that the reader is busy in; their turn comes when they are left.
  const waiting = new Set();

  const soon = () => {
    behind = true;
    if (busy || timer || document.hidden) return;
    timer = setTimeout(round, Math.max(0, last + PACE - Date.now()));
  };
  const round = async () => {
    timer = 0;
    if (document.hidden) return;
    busy = true;
    behind = false;
    last = Date.now();
    try {
      const { response, page } = await wx.page(wx.address || location.pathname + location.search);
      if (response.ok) draw(page);
    } catch {
      // The next change, or the stream when it is back, tries again.
    }
    busy = false;
    if (behind) soon();
  };
  const draw = (page) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      waiting.delete(part);
      if (!fresh || fresh.innerHTML === part.innerHTML) continue;
      if (wx.inUse(part)) {
        waiting.add(part);
        continue;
      }
      part.replaceChildren(...fresh.childNodes);
      part.dispatchEvent(new CustomEvent("wx:refreshed", { bubbles: true }));
    }
    for (const run of wx.changed) run(page, (part) => waiting.add(part));
  };
  // Where the focus goes to is known only after it has left.
  const left = () => setTimeout(() => [...waiting].some((part) => !wx.inUse(part)) && soon());
  document.addEventListener("focusout", () => waiting.size > 0 && left());
  document.addEventListener("selectionchange", () => waiting.size > 0 && left());

  let stream = null;
  let again = 0;
  // What happened before the stream began, or while it was broken, is caught up with.
  const told = (event) => {
    const news = Number(event.data);
    if (news !== known) soon();
    known = news;
  };
  const open = () => {
    clearTimeout(again);
    if (document.hidden || (stream && stream.readyState !== EventSource.CLOSED)) return;
    stream = new EventSource("/api/events");
    stream.addEventListener("hello", (event) => {
      root.classList.add("is-live");
      signedOut(false);
      told(event);
    });
    stream.addEventListener("changed", told);
    stream.addEventListener("error", (event) => {
      root.classList.remove("is-live");
      // After some errors a browser does not try again by itself: nobody is signed in, or a proxy answers for us.
      if (event.target !== stream || stream.readyState !== EventSource.CLOSED) return;
      again = setTimeout(open, 5000 + Math.random() * 5000);
      soon();
    });
  };
  const close = () => {
    clearTimeout(again);
    clearTimeout(timer);
    timer = 0;
    stream?.close();
    stream = null;
    root.classList.remove("is-live");
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    open();
    if (behind) soon();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
