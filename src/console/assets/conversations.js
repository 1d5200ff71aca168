// Conversations: new messages appear by themselves, earlier ones are fetched where they belong, replies are sent without
// leaving, the why opens beside the thread. Everything works as links and forms without it.
"use strict";

(() => {
  const list = document.getElementById("chat-list");
  const scroll = document.getElementById("thread");
  const messages = document.getElementById("messages");
  const composer = document.getElementById("composer");
  const below = document.getElementById("new-below");
  const isNewest = () => scroll !== null && scroll.hasAttribute("data-newest");
  const load = async (address) => {
    const { response, page } = await wx.page(address);
    return response.ok ? page : null;
  };

  // The thread begins at its end; its scroll position is counted from there.
  const atEnd = () => !scroll || scroll.scrollTop > -60;
  const toEnd = () => {
    scroll.scrollTop = 0;
    below.hidden = true;
  };
  /** Changes the thread without moving what is being read. */
  const keeping = (change) => {
    if (!scroll || atEnd()) {
      change();
      return;
    }
    const edge = scroll.getBoundingClientRect().top;
    const top = (row) => row.getBoundingClientRect().top;
    const read = [...messages.children].find((row) => row.getBoundingClientRect().bottom > edge);
    const at = read && top(read);
    change();
    const now = read && document.getElementById(read.id);
    if (now) scroll.scrollTop += top(now) - at;
  };

  // Where a message was looked for and the newest is in sight too, the page goes on like any other.
  const place = new URL(location.href);
  if (isNewest() && place.searchParams.has("at")) {
    place.searchParams.delete("at");
    history.replaceState(history.state, "", place);
  }
  // A search looks through the whole log: once is enough, and only the thread beside it stays live.
  const searched = place.searchParams.has("q");
  if (searched) {
    place.searchParams.delete("q");
    wx.address = place.pathname + place.search;
  }

  /** The messages of a list by their ids, each with the heading of its day. */
  const rows = (list) => {
    const found = new Map();
    let day = null;
    for (const row of list.children) {
      if (row.classList.contains("day")) day = row;
      else found.set(row.id, { row, day });
    }
    return found;
  };

  /** Takes over what a fresh page has of the thread: rows that changed, and rows that are new, each where it belongs. */
  const merge = (page, later = () => {}) => {
    const facts = document.getElementById("thread-facts");
    const freshFacts = page.getElementById("thread-facts");
    if (facts && freshFacts && facts.innerHTML !== freshFacts.innerHTML) {
      if (wx.inUse(facts)) later(facts);
      else facts.replaceChildren(...freshFacts.childNodes);
    }
    const list = page.getElementById("messages");
    if (!messages || !list) return;
    const [shown, fresh] = [rows(messages), rows(list)];
    const added = [...fresh.keys()].filter((id) => !shown.has(id)).length;
    // Nothing joins the two, or the fresh one reaches further back.
    const apart = added > 0 && added === fresh.size;
    const [[first], [top]] = [fresh.keys(), shown.keys()];
    const further = apart || (first !== top && fresh.has(top));
    const follows = atEnd();
    keeping(() => {
      if (further) document.getElementById("earlier").replaceWith(page.getElementById("earlier"));
      if (apart) {
        messages.replaceChildren(...list.childNodes);
        return;
      }
      let before = null;
      const above = [];
      for (const [id, { row }] of fresh) {
        const old = shown.get(id)?.row;
        if (!old) {
          if (before) before.after(row);
          else above.push(row);
          if (before) before = row;
          continue;
        }
        if (!before) old.before(...above);
        before = old;
        // Its place in the search stays marked.
        row.classList.toggle("sought", old.classList.contains("sought"));
        const same = searched ? old.textContent === row.textContent : old.isEqualNode(row);
        if (same) continue;
        if (wx.inUse(old)) {
          later(old);
          continue;
        }
        old.replaceWith(row);
        before = row;
      }
      if (added > 0) headings(new Map([...shown, ...fresh]));
    });
    if (added > 0 && !follows) below.hidden = false;
  };

  /** Puts the heading of each day before its first message, and nowhere else. */
  const headings = (known) => {
    for (const day of messages.querySelectorAll(".day")) day.remove();
    let last = "";
    for (const row of [...messages.children]) {
      const day = known.get(row.id)?.day;
      if (!day || day.textContent === last) continue;
      last = day.textContent;
      row.before(day);
    }
  };

  const mergeList = (page, later = () => {}) => {
    const fresh = page.getElementById("chat-list");
    if (!list || !fresh || searched || fresh.innerHTML === list.innerHTML) return;
    if (wx.inUse(list)) later(list);
    else list.replaceChildren(...fresh.childNodes);
  };

  const refreshed = (page, later) => {
    mergeList(page, later);
    // Where one reads what is long past, nothing new belongs.
    if (isNewest()) merge(page, later);
    count();
  };
  // An old page of the list stays as it is, and so does what a search found.
  if (!place.searchParams.has("cursor") && (scroll || !searched)) wx.changed.push(refreshed);

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
      const seconds = Math.max(0, Math.round((new Date(time.dateTime) - wx.now()) / 1000));
      const two = (n) => String(n).padStart(2, "0");
      const hours = Math.floor(seconds / 3600);
      time.textContent = (hours > 0 ? `${hours}:` : "") + `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
      if (seconds === 0 && !time.dataset.over) {
        time.dataset.over = "1";
        setTimeout(async () => {
          const page = await load(wx.address || location.pathname + location.search).catch(() => null);
          if (page) refreshed(page);
        }, 1000);
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
  const draft = `draft:${location.pathname}`;
  const max = Number(composer.dataset.max);
  if (!text.value) text.value = sessionStorage.getItem(draft) || "";
  const typed = () => {
    if (text.value) sessionStorage.setItem(draft, text.value);
    else sessionStorage.removeItem(draft);
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
      const { response, page } = await wx.page(composer.action, { method: "POST", body: new URLSearchParams(new FormData(composer)) });
      // Sent is what led back to the thread, and nothing else.
      if (response.ok && page.getElementById("messages")) {
        text.value = "";
        typed();
        if (!isNewest()) {
          location.href = response.url;
          return;
        }
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
