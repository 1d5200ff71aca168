// What every page needs of a script; without it everything can still be read and sent.
"use strict";

document.documentElement.classList.add("script");

const wx = {
  /** Called when the log has changed, on pages whose body says data-stream or that have parts marked with data-live. */
  changed: [],

  /** A short notice that goes away by itself. */
  toast(text, bad = false) {
    const toast = document.createElement("div");
    toast.className = bad ? "toast bad" : "toast";
    toast.textContent = text;
    document.getElementById("toasts").append(toast);
    setTimeout(() => toast.remove(), bad ? 8000 : 4000);
  },

  /** Asks our API; what it answers, or an error whose message a person can read. */
  async api(method, path, body) {
    const init = { method, headers: { Accept: "application/json" } };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers["Content-Type"] = "application/json";
    }
    const response = await fetch(path, init);
    const type = response.headers.get("Content-Type") || "";
    const answer = type.includes("json") ? await response.json() : await response.text();
    if (!response.ok) {
      const error = new Error(answer.detail || response.statusText);
      error.problem = answer;
      error.status = response.status;
      throw error;
    }
    return answer;
  },

  /** Calls `run` once things have been quiet for a while. */
  debounce(run, milliseconds) {
    let timer;
    return (...args) => {
      clearTimeout(timer);
      timer = setTimeout(() => run(...args), milliseconds);
    };
  },

  /** Replaces `element` by the same element (same id) of the page at `address`, drawn anew by the server. */
  async refresh(element, address) {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    if (!response.ok) return false;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById(element.id);
    if (!fresh) return false;
    if (fresh.innerHTML !== element.innerHTML) {
      element.replaceChildren(...fresh.childNodes);
      element.dispatchEvent(new CustomEvent("wx:refreshed", { bubbles: true }));
    }
    return true;
  },
};
window.wx = wx;

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

// Parts marked with data-live are drawn anew when the log changes. One stream serves the whole page; while the page
// is hidden nothing is asked for, and it catches up when it is seen again.
const live = [...document.querySelectorAll("[data-live]")];
if (live.length > 0 || document.querySelector("[data-stream]")) {
  const root = document.documentElement;
  let behind = false;
  let busy = false;
  const catchUp = async () => {
    if (busy || document.hidden) {
      behind = true;
      return;
    }
    busy = true;
    behind = false;
    for (const element of document.querySelectorAll("[data-live]")) {
      // The reader's own writing is not taken from under their hands.
      if (element.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
      await wx.refresh(element, element.dataset.live || location.href).catch(() => false);
    }
    for (const run of wx.changed) await run().catch(() => false);
    busy = false;
    if (behind) catchUp();
  };
  const stream = new EventSource("/api/events");
  // What happened before the stream began, or while it was broken, is caught up with.
  let known = Number(root.dataset.news);
  const told = (event) => {
    const news = Number(event.data);
    if (news !== known) catchUp();
    known = news;
  };
  stream.addEventListener("hello", (event) => {
    root.classList.add("is-live");
    told(event);
  });
  stream.addEventListener("changed", told);
  stream.addEventListener("error", () => root.classList.remove("is-live"));
  document.addEventListener("visibilitychange", () => behind && catchUp());
  addEventListener("pagehide", () => stream.close());
}
