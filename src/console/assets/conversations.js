// Conversations: new messages appear by themselves, earlier ones are fetched where they belong, replies are sent without
// leaving, the why opens beside the thread. Everything works as links and forms without it.
"use strict";

(() => {
  const list = document.getElementById("chat-list");
  const scroll = document.getElementById("thread");
  const messages = document.getElementById("messages");
  const composer = document.getElementById("composer");
  const below = document.getElementById("new-below");
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  const load = async (address) => {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    return response.ok ? parse(await response.text()) : null;
  };

  // The thread begins at its end; its scroll position is counted from there.
  const atEnd = () => !scroll || scroll.scrollTop > -60;
  const toEnd = () => {
    scroll.scrollTop = 0;
    below.hidden = true;
  };
  /** Changes what is below without moving what is being read. */
  const keeping = (change) => {
    if (!scroll || atEnd()) {
      change();
      return;
    }
    const [height, top] = [scroll.scrollHeight, scroll.scrollTop];
    change();
    scroll.scrollTop = top - (scroll.scrollHeight - height);
  };

  /** Takes over what a fresh page has of the thread: rows that changed, and rows that are new. */
  const merge = (page) => {
    const facts = document.getElementById("thread-facts");
    const freshFacts = page.getElementById("thread-facts");
    if (facts && freshFacts && !facts.contains(document.activeElement)) facts.replaceChildren(...freshFacts.childNodes);
    const fresh = page.getElementById("messages");
    if (!messages || !fresh) return;
    const shown = new Map([...messages.children].map((row) => [row.id, row]));
    let added = 0;
    const change = () => {
      for (const row of [...fresh.children]) {
        const old = shown.get(row.id);
        if (!old) {
          // A heading of a day that is shown already, further up.
          if (row.classList.contains("day") && [...messages.querySelectorAll(".day")].some((day) => day.textContent === row.textContent)) continue;
          messages.append(row);
          added += row.classList.contains("day") ? 0 : 1;
        } else if (!old.isEqualNode(row) && !old.contains(document.activeElement)) {
          // Its place in the search stays marked.
          row.classList.toggle("sought", old.classList.contains("sought"));
          if (!old.isEqualNode(row)) old.replaceWith(row);
        }
      }
    };
    const follows = atEnd();
    keeping(change);
    if (added > 0 && !follows) below.hidden = false;
  };

  const mergeList = (page) => {
    const fresh = page.getElementById("chat-list");
    if (!list || !fresh || list.contains(document.activeElement)) return;
    if (fresh.innerHTML !== list.innerHTML) list.replaceChildren(...fresh.childNodes);
  };

  const refresh = async () => {
    const page = await load(location.href.split("#")[0]);
    if (!page) return;
    mergeList(page);
    // Where one reads what is long past, nothing new belongs.
    if (scroll && scroll.hasAttribute("data-newest")) merge(page);
    count();
  };
  // An old page of the list stays as it is.
  if (!new URLSearchParams(location.search).has("cursor")) wx.changed.push(refresh);

  if (below) below.addEventListener("click", toEnd);
  if (scroll) scroll.addEventListener("scroll", () => atEnd() && (below.hidden = true), { passive: true });

  // Earlier messages go where they belong.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-older]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.setAttribute("aria-disabled", "true");
    const page = await load(link.href).catch(() => null);
    const fresh = page && page.getElementById("messages");
    if (!fresh) {
      location.href = link.href;
      return;
    }
    const first = messages.firstElementChild;
    const days = [...fresh.querySelectorAll(".day")];
    // The day goes on above: its heading stands there.
    if (first && first.classList.contains("day") && days.length > 0 && days.at(-1).textContent === first.textContent) first.remove();
    messages.prepend(...fresh.childNodes);
    document.getElementById("earlier").replaceWith(page.getElementById("earlier"));
    scroll.focus({ preventScroll: true });
  });

  // What is being waited for comes nearer.
  const count = () => {
    for (const time of document.querySelectorAll("time[data-countdown]")) {
      const seconds = Math.max(0, Math.round((new Date(time.dateTime) - Date.now()) / 1000));
      const two = (n) => String(n).padStart(2, "0");
      const hours = Math.floor(seconds / 3600);
      time.textContent = (hours > 0 ? `${hours}:` : "") + `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
      if (seconds === 0 && !time.dataset.over) {
        time.dataset.over = "1";
        setTimeout(refresh, 1000);
      }
    }
  };
  count();
  setInterval(count, 1000);

  // The why opens beside the thread.
  const dialog = document.getElementById("why-dialog");
  const why = document.getElementById("why-body");
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a.why, #why-body a[data-why]");
    if (!link || !dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const page = await load(link.href).catch(() => null);
    const fresh = page && page.getElementById("why");
    if (!fresh) {
      location.href = link.href;
      return;
    }
    fresh.removeAttribute("id");
    why.replaceChildren(fresh);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  });
  if (dialog) dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  for (const choice of document.querySelectorAll("[data-submits]")) {
    choice.addEventListener("change", () => choice.form.requestSubmit());
  }

  // From conversation to conversation by keys.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (dialog && dialog.open)) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "r" && composer) {
      event.preventDefault();
      composer.elements.text.focus();
    }
    if (event.key !== "j" && event.key !== "k") return;
    const chats = [...list.querySelectorAll("a.chat")];
    const now = chats.findIndex((chat) => chat === document.activeElement);
    const from = now >= 0 ? now : chats.findIndex((chat) => chat.hasAttribute("aria-current"));
    const next = chats[Math.max(0, Math.min(chats.length - 1, from + (event.key === "j" ? 1 : -1)))];
    if (next) next.focus();
  });

  if (!composer) return;

  // Writing. What is typed is kept in this tab until it is sent.
  const text = composer.elements.text;
  const problem = document.getElementById("composer-problem");
  const counter = document.getElementById("counter");
  const send = composer.querySelector("button.main");
  const place = `draft:${location.pathname}`;
  const max = Number(composer.dataset.max);
  if (!text.value) text.value = sessionStorage.getItem(place) || "";
  const typed = () => {
    if (text.value) sessionStorage.setItem(place, text.value);
    else sessionStorage.removeItem(place);
    const bytes = new TextEncoder().encode(text.value).length;
    counter.textContent = bytes > 0 ? `${bytes}/${max}` : "";
    counter.classList.toggle("over", bytes > max);
  };
  typed();
  text.addEventListener("input", typed);
  const tell = (words) => {
    problem.textContent = words;
    problem.hidden = words === "";
  };
  text.addEventListener("keydown", (event) => {
    // Enter that ends a word of an input method is none.
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      composer.requestSubmit();
    }
  });
  composer.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    tell("");
    try {
      const response = await fetch(composer.action, { method: "POST", body: new URLSearchParams(new FormData(composer)) });
      const page = parse(await response.text());
      if (response.ok) {
        text.value = "";
        typed();
        merge(page);
        mergeList(page);
        count();
        toEnd();
      } else {
        const words = page.getElementById("composer-problem");
        tell(words && words.textContent.trim() ? words.textContent.trim() : `${composer.dataset.failed} ${response.status}`);
      }
    } catch (error) {
      tell(`${composer.dataset.failed} ${error.message}`);
    }
    send.disabled = false;
    text.focus();
  });
  for (const button of composer.querySelectorAll("[data-snippet]")) {
    button.addEventListener("click", () => {
      text.setRangeText(button.dataset.snippet, text.selectionStart, text.selectionEnd, "end");
      typed();
      button.closest("details").open = false;
      text.focus();
    });
  }
})();
