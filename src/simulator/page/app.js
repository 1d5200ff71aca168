"use strict";

// ---------------------------------------------------------------- words

const WORDS = {
  en: {
    title: "WeChat simulator", settings: "Settings", calls: "API calls", close: "Close", language: "中文",
    connected: (s) => `${s.mode} · ${s.format.toUpperCase()}`,
    lost: "Connection lost, trying again…", newCustomer: "New customer", service: "Customer service",
    typing: "typing…", empty: "Write as a customer would. What the shop answers appears here.",
    initial: (name) => name[0], names: ["Fang", "Qiang", "Lili", "Wei", "Yu", "Zhou", "Mei", "Jie"],
    noQuota: "no reply possible yet", spent: "replies used up", closed: "reply window closed",
    quota: (left, of, time) => `${left} of ${of} replies left, closes in ${time}`,
    hours: (n) => `${n} h`, minutes: (n) => `${n} min`, seconds: (n) => `${n} s`,
    message: "Message", send: "Send", more: "More", image: "Image", enter: "Enter session", card: "Mini-program card",
    follow: "Follow", unfollow: "Unfollow", sessionFrom: "session-from of the contact button", go: "Go",
    cardTitle: "Title", cardPath: "Page path", cardTitleValue: "Order details", miniProgram: "Mini Program",
    withAgent: (name, time) => `With ${name || "an agent"}, at most ${time} more`, closeSession: "Agent closes session",
    notices: {
      unavailable: (text) => text, transferred: (text) => `Handed to customer service${text && ` (${text})`}`,
      agent_closed: () => "The agent closed the session",
      entered: (text) => `Entered the session${text && ` from “${text}”`}`, event: (text) => `Event ${text}`,
    },
    pushing: "pushing…", again: (n) => `attempt ${n} of 4…`, taken: (ms, n) => n > 1 ? `${ms} ms, attempt ${n}` : `${ms} ms`,
    failed: (n) => `not answered, ${n} ${n === 1 ? "attempt" : "attempts"}`, abnormal: "not accepted",
    toAgent: "to the agent, not pushed", call: "API call", details: "details", ai: "Content produced by third-party AI",
    inClear: "Message", query: "Query", body: "Body", attempt: (n) => `Attempt ${n}`, answer: "Answer", opened: "Answer, opened",
    emptyBody: "(empty)", result: "Result", request: "Request", response: "Response", noAnswer: "no answer",
    gone: "No longer kept.", fault: "fault", callback: "Callback", callbackUrl: "Callback URL", save: "Save",
    check: "Check URL", checkGood: "The callback answered the check as it must.", checkBad: (why) => `The check failed: ${why}.`,
    mode: "Encryption", modes: { plain: "Plain", compat: "Compat", safe: "Safe" }, format: "Format",
    token: "Access token", tokenState: (left, n) => left === null ? `No valid token; ${n} issued so far.` : `Valid for ${left} s; ${n} issued so far.`,
    lifetime: "Lifetime of new tokens (seconds)", revoke: "Revoke", expire: "Expire",
    faults: "Faults", faultsHelp: "What goes wrong when the daemon calls the API.",
    share: (p) => `${p} % of calls`, times: (n) => n === 1 ? "the next call" : `the next ${n} calls`, always: "until switched off",
    left: (n) => `${n} more`, noCalls: "No call yet.", tooBig: "A PNG, JPEG or GIF up to 10 MB, please.",
    failedAction: "That did not work: ", customers: "Customers", you: "You", shop: "Shop", picture: "Picture",
  },
  zh: {
    title: "微信模拟器", settings: "设置", calls: "接口调用", close: "关闭", language: "English",
    connected: (s) => `${{ plain: "明文", compat: "兼容", safe: "安全" }[s.mode]} · ${s.format.toUpperCase()}`,
    lost: "连接已断开，正在重连…", newCustomer: "新客户", service: "客服消息",
    typing: "对方正在输入…", empty: "像客户一样发消息，店铺的回复会显示在这里。",
    initial: (name) => name[1], names: ["小芳", "阿强", "丽丽", "大伟", "小雨", "老周", "晓梅", "阿杰"],
    noQuota: "暂不可回复", spent: "回复条数已用完", closed: "回复时限已过",
    quota: (left, of, time) => `还可回复 ${left}/${of} 条，${time}后截止`,
    hours: (n) => `${n} 小时`, minutes: (n) => `${n} 分钟`, seconds: (n) => `${n} 秒`,
    message: "消息", send: "发送", more: "更多", image: "图片", enter: "进入会话", card: "小程序卡片",
    follow: "关注", unfollow: "取消关注", sessionFrom: "客服按钮的 session-from", go: "确定",
    cardTitle: "标题", cardPath: "页面路径", cardTitleValue: "订单详情", miniProgram: "小程序",
    withAgent: (name, time) => `${name || "人工客服"}接待中，最多还有 ${time}`, closeSession: "客服结束会话",
    notices: {
      unavailable: (text) => text, transferred: (text) => `已转人工客服${text && `（${text}）`}`,
      agent_closed: () => "客服已结束会话",
      entered: (text) => `进入会话${text && `，来自“${text}”`}`, event: (text) => `事件 ${text}`,
    },
    pushing: "推送中…", again: (n) => `第 ${n}/4 次推送…`, taken: (ms, n) => n > 1 ? `${ms} 毫秒，第 ${n} 次` : `${ms} 毫秒`,
    failed: (n) => `推送 ${n} 次未获应答`, abnormal: "应答异常",
    toAgent: "已交给人工，不推送", call: "接口调用", details: "详情", ai: "内容由第三方AI生成",
    inClear: "消息明文", query: "查询参数", body: "请求体", attempt: (n) => `第 ${n} 次推送`, answer: "应答", opened: "应答（解密后）",
    emptyBody: "（空）", result: "结果", request: "请求", response: "应答", noAnswer: "无应答",
    gone: "记录已不保留。", fault: "故障", callback: "消息推送", callbackUrl: "服务器地址（URL）", save: "保存",
    check: "验证地址", checkGood: "服务器正确应答了验证请求。", checkBad: (why) => `验证失败：${why}。`,
    mode: "加解密方式", modes: { plain: "明文", compat: "兼容", safe: "安全" }, format: "数据格式",
    token: "access_token", tokenState: (left, n) => left === null ? `没有有效的 token，已发放 ${n} 个。` : `剩余 ${left} 秒，已发放 ${n} 个。`,
    lifetime: "新 token 的有效期（秒）", revoke: "作废", expire: "立即过期",
    faults: "故障", faultsHelp: "让服务调用接口时出现的问题。",
    share: (p) => `${p}% 的调用`, times: (n) => `接下来 ${n} 次`, always: "直到关闭",
    left: (n) => `还剩 ${n} 次`, noCalls: "还没有调用。", tooBig: "请选择 10 MB 以内的 PNG、JPEG 或 GIF 图片。",
    failedAction: "操作失败：", customers: "客户", you: "我", shop: "店", picture: "图片",
  },
};
let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
let t = WORDS[language] ?? WORDS.en;

// ---------------------------------------------------------------- small tools

const byId = (id) => document.getElementById(id);

/** An element with properties, listeners (`onclick`) and children. Text is only ever set as text. */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function svg(path) {
  const namespace = "http://www.w3.org/2000/svg";
  const image = document.createElementNS(namespace, "svg");
  image.setAttribute("viewBox", "0 0 28 28");
  image.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(namespace, "path");
  shape.setAttribute("d", path);
  image.append(shape);
  return image;
}

const ICONS = {
  plus: "M14 3a11 11 0 1 0 .01 0M14 8.500v11M8.500 14h11",
  image: "M4 6h20v16H4zM4 19l6-6 5 5 3-3 6 5M18 11.500a1.500 1.500 0 1 0 .01 0",
  enter: "M5 13a9 7.500 0 1 1 4 6l-4 1.500 1.200-3.500A7 7 0 0 1 5 13zM10 12.500h8M15 9.500l3 3-3 3",
  card: "M5 5h18v18H5zM11 17a2.500 2.500 0 1 1 3-2.500v-3a2.500 2.500 0 1 1 3 2.500",
  follow: "M14 23S4 17 4 10.500A5 5 0 0 1 14 9a5 5 0 0 1 10 1.500C24 17 14 23 14 23z",
  unfollow: "M14 23S4 17 4 10.500A5 5 0 0 1 14 9a5 5 0 0 1 10 1.500C24 17 14 23 14 23zM5 5l18 18",
};

/** Asks the simulator to do something; gives its answer, or throws its sentence. */
async function post(path, body) {
  const raw = body instanceof Blob;
  const response = await fetch(`/sim/${path}`, { method: "POST", body: raw ? body : JSON.stringify(body ?? {}) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function get(path) {
  const response = await fetch(`/sim/${path}`);
  return response.ok ? response.json() : null;
}

let clockSkew = 0; // the simulator's clock minus ours, in milliseconds
const now = () => Date.now() + clockSkew;

function duration(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  if (seconds >= 5400) return t.hours(Math.round(seconds / 3600));
  return seconds >= 90 ? t.minutes(Math.round(seconds / 60)) : t.seconds(seconds);
}

const clock = (at) => new Date(at).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });

/** JSON drawn out; anything else as it is. */
function pretty(text) {
  try {
    // Numbers beyond 2^53 would lose digits on the way through a parsed value: the text itself is indented.
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  let quoted = false;
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      out += c;
      if (c === "\\") out += text[++i];
      else if (c === '"') quoted = false;
      continue;
    }
    const line = () => `\n${"  ".repeat(depth)}`;
    if (c === '"') { quoted = true; out += c; }
    else if ((c === "{" || c === "[") && !"}]".includes(text[i + 1])) { depth++; out += c + line(); }
    else if ((c === "}" || c === "]") && !"{[".includes(text[i - 1])) { depth--; out += line() + c; }
    else if (c === ",") out += c + line();
    else if (c === ":") out += ": ";
    else if (!/\s/.test(c)) out += c;
  }
  return out;
}

// ---------------------------------------------------------------- bubbles

/** A text of the shop's, with the two kinds of links that WeChat draws; all else stays text. */
function withLinks(text) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(/<a\s+([^<>]*)>([^<]*)<\/a>/gi)) {
    const attributes = {};
    for (const [, name, double, single] of match[1].matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
      attributes[name.toLowerCase()] = double ?? single;
    }
    let link = null;
    if (attributes["data-miniprogram-path"] !== undefined || attributes["data-miniprogram-appid"] !== undefined) {
      const target = [attributes["data-miniprogram-appid"], attributes["data-miniprogram-path"]].filter(Boolean).join(" ");
      link = el("span", { className: "mini", title: target }, match[2]);
    } else if (/^https?:\/\//i.test(attributes.href ?? "")) {
      link = el("a", { href: attributes.href, target: "_blank", rel: "noopener noreferrer nofollow", title: attributes.href }, match[2]);
    }
    if (link) {
      parts.push(text.slice(last, match.index), link);
      last = match.index + match[0].length;
    }
  }
  return [...parts, text.slice(last)];
}

function drawBubble(bubble, mine) {
  switch (bubble.kind) {
    case "image": {
      const source = `/sim/media/${encodeURIComponent(bubble.media_id)}`;
      return el("a", { className: "picture", href: source, target: "_blank", rel: "noopener" },
        el("img", { src: source, alt: t.picture, onload: (event) => event.target.closest(".chat")?.dispatchEvent(new Event("grown")) }));
    }
    case "link": {
      const safe = /^https?:\/\//i.test(bubble.url);
      return el(safe ? "a" : "div", safe ? { className: "card", href: bubble.url, target: "_blank", rel: "noopener noreferrer nofollow" } : { className: "card" },
        el("strong", {}, bubble.title), el("small", {}, bubble.description || bubble.url));
    }
    case "page":
      return el("div", { className: "card" }, el("strong", {}, bubble.title), el("small", {}, bubble.page_path),
        bubble.thumb_media_id ? el("img", { src: `/sim/media/${encodeURIComponent(bubble.thumb_media_id)}`, alt: "" }) : null,
        el("footer", {}, t.miniProgram));
    default:
      return el("div", { className: "bubble" }, ...(mine ? [bubble.text] : withLinks(bubble.text)));
  }
}

const section = (title, text, soft) => [
  el("h3", {}, title, soft ? el("span", { className: "soft" }, soft) : null),
  el("pre", {}, text === "" ? t.emptyBody : pretty(text)),
];

function drawPush(push) {
  const parts = section(t.inClear, push.clear, push.callback);
  push.attempts.forEach((attempt, i) => {
    const outcome = attempt.error ?? `HTTP ${attempt.status}`;
    parts.push(...section(t.attempt(i + 1), `?${attempt.query.replaceAll("&", "\n&")}`, `${outcome} · ${attempt.took} ms`));
    if (attempt.body !== push.clear) parts.push(...section(t.body, attempt.body, attempt.content_type));
    if (attempt.answer !== null) parts.push(...section(t.answer, attempt.answer));
    if (attempt.opened !== null && attempt.opened !== attempt.answer) parts.push(...section(t.opened, attempt.opened));
  });
  if (push.result?.includes(":")) parts.push(el("h3", { className: "bad" }, push.result));
  return parts;
}

function drawCall(call) {
  return [
    ...section(t.request, call.request, `${call.method} ${call.path}`),
    ...(call.query ? section(t.query, `?${call.query.replaceAll("&", "\n&")}`) : []),
    ...section(t.response, call.response, `${call.status === null ? t.noAnswer : `HTTP ${call.status}`} · ${call.took} ms`),
  ];
}

// ---------------------------------------------------------------- one customer's phone

class Phone {
  constructor(openid) {
    this.openid = openid;
    this.entries = new Map(); // id → { entry, node }
    this.open = new Set(); // entries that are unfolded
    this.view = { openid, number: 1, left: 0, of: 0, until: null, agent_until: null, typing_until: null };
    this.unread = false;
    this.build();
  }

  get name() {
    const index = (this.view.number - 1) % t.names.length;
    const round = Math.floor((this.view.number - 1) / t.names.length);
    return t.names[index] + (round ? ` ${round + 1}` : "");
  }

  avatar() {
    return el("span", { className: `avatar hue-${(this.view.number - 1) % 8}`, ariaHidden: "true" }, t.initial(this.name));
  }

  /** The parts that stay while entries come and go; built again when the language changes. */
  build() {
    const draft = this.input?.value ?? "";
    this.title = el("h2");
    this.quota = el("p");
    this.agentText = el("span");
    this.agent = el("div", { className: "agent", hidden: true }, this.agentText,
      el("button", { className: "button", type: "button", onclick: () => this.act("close-session") }, t.closeSession));
    this.chat = el("ol", { className: "chat", ariaLive: "polite", tabIndex: 0 });
    this.chat.addEventListener("grown", () => this.pinned && this.toEnd());
    this.chat.addEventListener("scroll", () => {
      this.pinned = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 60;
    });
    this.pinned = true;
    this.input = el("textarea", {
      rows: 1, value: draft, placeholder: t.message, ariaLabel: t.message, maxLength: 2000, enterKeyHint: "send",
      oninput: () => this.fit(),
      onkeydown: (event) => {
        // While an input method composes, Enter chooses a word.
        if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
          event.preventDefault();
          this.say();
        }
      },
    });
    this.sendButton = el("button", { className: "send", type: "submit" }, t.send);
    this.moreButton = el("button", { className: "round", type: "button", ariaLabel: t.more, ariaExpanded: "false", onclick: () => this.toggleMore() }, svg(ICONS.plus));
    this.more = el("div", { className: "more", hidden: true });
    this.file = el("input", { type: "file", accept: "image/png,image/jpeg,image/gif", hidden: true, ariaLabel: t.image, onchange: () => this.sendImage() });
    const form = el("form", { onsubmit: (event) => { event.preventDefault(); this.say(); } }, this.input, this.moreButton, this.sendButton, this.file);
    const head = el("header", { className: "phone-head" }, this.title, this.quota);
    const node = el("section", { className: "phone" }, head, this.agent, this.chat, el("footer", { className: "write" }, form, this.more));
    this.node?.replaceWith(node);
    this.node = node;
    this.tab = el("button", { className: "tab", type: "button", role: "tab", onclick: () => show(this) });
    this.fillMore();
    this.redraw();
    this.fit();
    this.setView(this.view);
  }

  setView(view) {
    this.view = view;
    this.node.setAttribute("aria-label", this.name);
    this.tab.replaceChildren(this.avatar(), this.name, ...(this.unread ? [el("span", { className: "unread" })] : []));
    this.tick();
  }

  /** What changes with the time alone. */
  tick() {
    const { left, of, until, agent_until, agent, typing_until } = this.view;
    const typing = typing_until !== null && typing_until > now();
    const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };
    set(this.title, typing ? t.typing : t.service);
    const open = until !== null && until > now();
    set(this.quota, `${this.name} · ${until === null ? t.noQuota : !open ? t.closed : left === 0 ? t.spent : t.quota(left, of, duration(until - now()))}`);
    const withAgent = agent_until !== null && agent_until > now();
    this.agent.hidden = !withAgent;
    if (withAgent) set(this.agentText, t.withAgent(agent, duration(agent_until - now())));
    if (typing !== Boolean(this.dots)) {
      this.dots?.remove();
      this.dots = typing ? this.row("theirs", el("div", { className: "bubble" },
        el("span", { className: "dots", role: "img", ariaLabel: t.typing }, el("i"), el("i"), el("i")))) : null;
      if (this.dots) this.chat.append(this.dots);
      if (this.pinned) this.toEnd();
    }
  }

  row(side, ...said) {
    const avatar = side === "mine" ? this.avatar() : el("span", { className: "avatar shop", ariaHidden: "true" }, t.shop[0]);
    return el("li", { className: `row ${side}` }, avatar, el("div", { className: "said" }, ...said));
  }

  redraw() {
    this.dots = null;
    const all = [...this.entries.values()].map(({ entry }) => entry);
    this.entries.clear();
    this.chat.replaceChildren(el("li", { className: "empty" }, t.empty));
    all.forEach((entry) => this.put(entry));
  }

  setEntries(entries) {
    this.entries = new Map(entries.map((entry) => [entry.id, { entry }]));
    this.redraw();
    this.toEnd();
  }

  /** Adds an entry, or draws it anew. */
  put(entry) {
    const known = this.entries.get(entry.id);
    const node = this.draw(entry);
    if (known?.node) {
      known.node.replaceWith(node);
      this.entries.set(entry.id, { entry, node });
    } else {
      const before = [...this.entries.values()].at(-1)?.entry;
      this.chat.querySelector(".empty")?.remove();
      if (!before || entry.at - before.at > 300_000) this.chat.append(el("li", { className: "time" }, clock(entry.at)));
      this.chat.append(node);
      this.entries.set(entry.id, { entry, node });
      if (this.entries.size > 300) {
        const [oldest, gone] = this.entries.entries().next().value;
        gone.node.remove();
        this.entries.delete(oldest);
      }
    }
    if (this.dots) this.chat.append(this.dots);
    if (this.open.has(entry.id)) this.unfold(entry, node, true);
    if (this.pinned || (!known && entry.side === "customer")) this.toEnd();
  }

  draw(entry) {
    const meta = this.meta(entry);
    if (entry.side === "notice") {
      const { notice, text } = entry.bubble;
      return el("li", { className: "notice" }, (t.notices[notice] ?? t.notices.event)(text), meta);
    }
    const mine = entry.side === "customer";
    const ai = entry.ai ? el("p", { className: "meta" }, t.ai) : null;
    return this.row(mine ? "mine" : "theirs", drawBubble(entry.bubble, mine), ai, meta);
  }

  /** The small line below a message, which unfolds what is behind it. */
  meta(entry) {
    const words = {
      pushing: () => entry.attempts === 0 ? t.pushing : t.again(Math.min(entry.attempts + 1, 4)),
      taken: () => t.taken(entry.took ?? 0, entry.attempts),
      failed: () => entry.attempts < 4 ? t.abnormal : t.failed(entry.attempts),
      to_agent: () => t.toAgent,
    };
    const text = entry.progress ? words[entry.progress]() : entry.call !== null ? t.call : t.details;
    const bad = entry.progress === "failed" ? " bad" : "";
    if (entry.push === null && entry.call === null) return entry.progress ? el("p", { className: "meta" }, text) : null;
    return el("button", {
      className: `meta${bad}`, type: "button", ariaExpanded: "false",
      onclick: () => {
        const { node } = this.entries.get(entry.id);
        this.unfold(entry, node, !this.open.has(entry.id));
      },
    }, text);
  }

  async unfold(entry, node, open) {
    this.open[open ? "add" : "delete"](entry.id);
    node.querySelector("button.meta")?.setAttribute("aria-expanded", String(open));
    node.querySelector(".raw")?.remove();
    if (!open) return;
    const raw = el("div", { className: "raw" });
    node.append(raw);
    const record = entry.push !== null ? await get(`pushes/${entry.push}`) : await get(`calls/${entry.call}`);
    raw.replaceChildren(...(record === null ? [t.gone] : entry.push !== null ? drawPush(record) : drawCall(record)));
    if (this.pinned) this.toEnd();
  }

  toEnd() {
    this.chat.scrollTop = this.chat.scrollHeight;
  }

  // What the customer does.

  async act(what, body) {
    try {
      await post(`customers/${encodeURIComponent(this.openid)}/${what}`, body);
    } catch (error) {
      this.toast(t.failedAction + error.message);
    }
  }

  say() {
    const text = this.input.value.trim();
    if (text === "") return;
    this.input.value = "";
    this.fit();
    this.act("text", { text });
  }

  sendImage() {
    const file = this.file.files[0];
    this.file.value = "";
    if (!file) return;
    if (file.size > 10 * 1024 * 1024) this.toast(t.tooBig);
    else this.act("image", file);
    this.toggleMore(false);
  }

  fit() {
    this.input.style.height = "40px";
    this.input.style.height = `${Math.min(Math.max(this.input.scrollHeight, 40), 120)}px`;
    this.sendButton.hidden = this.input.value.trim() === "";
  }

  toggleMore(open = this.more.hidden) {
    this.more.hidden = !open;
    this.moreButton.setAttribute("aria-expanded", String(open));
    if (open) this.fillMore();
    if (this.pinned) this.toEnd();
  }

  fillMore() {
    const ask = el("div");
    const tile = (icon, label, onclick) => el("button", { className: "tile", type: "button", onclick }, el("span", {}, svg(ICONS[icon])), label);
    const event = (name) => () => { this.act("event", { event: name }); this.toggleMore(false); };
    /** A small form below the tiles; `fields` are [name, label, value]. */
    const form = (what, fields) => (click) => {
      this.more.querySelectorAll(".tile").forEach((other) => other.setAttribute("aria-expanded", String(other === click.currentTarget)));
      const inputs = fields.map(([name, , value]) => el("input", { type: "text", name, value }));
      ask.replaceChildren(el("form", {
        className: "ask",
        onsubmit: (submit) => {
          submit.preventDefault();
          this.act(what, Object.fromEntries(inputs.map((input) => [input.name, input.value])));
          this.toggleMore(false);
        },
      }, ...fields.map(([, label], i) => el("label", {}, label, inputs[i])), el("button", { className: "button main", type: "submit" }, t.go)));
      inputs[0].focus();
      if (this.pinned) this.toEnd();
    };
    this.more.replaceChildren(el("div", { className: "tiles" },
      tile("image", t.image, () => this.file.click()),
      ...(settings?.kind === "official-account"
        ? [tile("follow", t.follow, event("subscribe")), tile("unfollow", t.unfollow, event("unsubscribe"))]
        : [
          tile("enter", t.enter, form("enter", [["session_from", t.sessionFrom, "home"]])),
          tile("card", t.card, form("card", [["title", t.cardTitle, t.cardTitleValue], ["page_path", t.cardPath, "pages/order/index.html?id=7"]])),
        ])), ask);
  }

  toast(text) {
    const toast = el("p", { className: "toast", role: "alert" }, text);
    this.node.append(toast);
    setTimeout(() => toast.remove(), 4000);
  }
}

// ---------------------------------------------------------------- all phones

const phones = new Map(); // openid → Phone
let current = null; // the one that is shown where only one has room
let settings = null;
let calls = [];

function phoneOf(openid) {
  let phone = phones.get(openid);
  if (!phone) {
    phone = new Phone(openid);
    phones.set(openid, phone);
    arrange();
  }
  return phone;
}

const addButtons = [];

function arrange() {
  const all = [...phones.values()].sort((a, b) => a.view.number - b.view.number);
  const scrolled = all.map((phone) => phone.chat.scrollTop);
  byId("phones").replaceChildren(...all.map((phone) => phone.node), addButtons[0]);
  byId("tabs").replaceChildren(...all.map((phone) => phone.tab), addButtons[1]);
  all.forEach((phone, i) => { phone.pinned ? phone.toEnd() : phone.chat.scrollTop = scrolled[i]; });
  show(current && phones.has(current.openid) ? current : all[0]);
}

function show(phone) {
  if (!phone) return;
  current = phone;
  phone.unread = false;
  for (const other of phones.values()) {
    other.node.classList.toggle("current", other === phone);
    other.tab.setAttribute("aria-selected", String(other === phone));
  }
  phone.setView(phone.view);
  if (phone.pinned) phone.toEnd();
}

async function addCustomer() {
  const { openid } = await post("customers");
  const phone = phoneOf(openid);
  show(phone);
  phone.node.scrollIntoView({ inline: "center", block: "nearest" });
  phone.input.focus({ preventScroll: true });
}

// ---------------------------------------------------------------- the drawer

const drawer = byId("drawer");
let page = "settings";

function drawDrawer() {
  const tab = (name) => el("button", {
    className: "flat", type: "button", role: "tab", ariaSelected: String(page === name),
    onclick: () => { page = name; drawDrawer(); },
  }, t[name]);
  const scroll = drawer.querySelector(".drawer-body")?.scrollTop ?? 0;
  const body = el("div", { className: "drawer-body" }, ...(page === "settings" ? drawSettings() : drawCalls()));
  drawer.setAttribute("aria-label", t[page]);
  drawer.replaceChildren(el("div", { className: "drawer-head", role: "tablist" }, tab("settings"), tab("calls"),
    el("button", { className: "flat close", type: "button", ariaLabel: t.close, onclick: () => drawer.close() }, "×")), body);
  body.scrollTop = scroll;
}

/** Draws the drawer again when something changed, unless somebody is typing in it. */
function refreshDrawer() {
  if (drawer.open && !drawer.querySelector("input[type=text]:focus, input[type=url]:focus, input[type=number]:focus")) drawDrawer();
}

function choices(name, label, values, value, choose) {
  return el("div", { className: "line", role: "radiogroup", ariaLabel: label }, el("span", { className: "name" }, label),
    el("div", { className: "choices" }, ...values.map(([key, text]) => el("label", {},
      el("input", { type: "radio", name, value: key, checked: key === value, onchange: () => choose(key) }), el("span", {}, text)))));
}

function drawSettings() {
  if (!settings) return [];
  const set = (body) => post("settings", body);
  const callback = el("input", { type: "url", value: settings.callback, required: true, spellcheck: false });
  const checked = el("p", { role: "status" });
  const lifetime = el("input", { type: "number", min: 1, max: 7200, value: settings.token.lifetime });
  const check = async () => {
    await set({ callback: callback.value });
    checked.textContent = "…";
    const { ok, error } = await post("check-url");
    checked.className = ok ? "good" : "bad";
    checked.textContent = ok ? t.checkGood : t.checkBad(error);
  };
  const button = (label, onclick) => el("button", { className: "button", type: "button", onclick }, label);
  return [
    el("section", {}, el("h2", {}, t.callback),
      el("form", { className: "line", onsubmit: (event) => { event.preventDefault(); callback.blur(); set({ callback: callback.value }); } },
        el("label", { className: "field grow" }, t.callbackUrl, callback)),
      el("div", { className: "line" }, button(t.save, () => set({ callback: callback.value })), button(t.check, check)), checked,
      choices("mode", t.mode, Object.entries(t.modes), settings.mode, (mode) => set({ mode })),
      choices("format", t.format, [["xml", "XML"], ["json", "JSON"]], settings.format, (format) => set({ format }))),
    el("section", {}, el("h2", {}, t.token), el("p", {}, t.tokenState(settings.token.left, settings.token.issued)),
      el("div", { className: "line" }, button(t.revoke, () => post("token/revoke")), button(t.expire, () => post("token/expire"))),
      el("form", { className: "line low", onsubmit: (event) => { event.preventDefault(); lifetime.blur(); set({ token_lifetime: Number(lifetime.value) }); } },
        el("label", { className: "field grow" }, t.lifetime, lifetime), button(t.save, () => set({ token_lifetime: Number(lifetime.value) })))),
    el("section", {}, el("h2", {}, t.faults), el("p", {}, t.faultsHelp), ...settings.faults.map(drawFault)),
  ];
}

/** What was chosen for a fault that is off, so that switching it on takes it up. */
const chosen = new Map();

function drawFault({ help, setting }) {
  const on = setting.probability > 0;
  const memory = chosen.get(help.name) ?? { probability: 1, count: null, value: help.values[0] ?? 0 };
  const shown = on ? { ...setting, value: setting.value || help.values[0] || 0 } : memory;
  const set = (change) => {
    const next = { probability: shown.probability, count: shown.count, value: shown.value, ...change };
    if (next.probability > 0) chosen.set(help.name, next);
    if (on || change.probability !== undefined) post("faults", { fault: help.name, ...next });
  };
  const select = (label, options, value, choose) => el("select", { ariaLabel: `${help.name}: ${label}`, onchange: (event) => choose(JSON.parse(event.target.value)) },
    ...options.map(([key, text]) => el("option", { value: JSON.stringify(key), selected: key === value }, text)));
  const counts = [[null, t.always], [1, t.times(1)], [3, t.times(3)], [10, t.times(10)]];
  if (!counts.some(([key]) => key === shown.count)) counts.push([shown.count, t.left(shown.count)]);
  const shares = [1, 0.5, 0.2, 0.05];
  if (!shares.includes(shown.probability)) shares.push(shown.probability);
  const unit = help.name === "latency" ? " ms" : "";
  const values = help.values.includes(shown.value) ? help.values : [...help.values, shown.value];
  return el("div", { className: "fault" },
    el("b", {}, help.name),
    el("input", { className: "switch", type: "checkbox", role: "switch", ariaLabel: help.name, checked: on, onchange: (event) => set(event.target.checked ? memory : { probability: 0 }) }),
    el("p", {}, help[language]),
    on ? el("div", { className: "options" },
      help.values.length ? select("value", values.map((value) => [value, `${value}${unit}`]), shown.value, (value) => set({ value })) : null,
      select("share", shares.map((share) => [share, t.share(Math.round(share * 100))]), shown.probability, (probability) => set({ probability })),
      select("count", counts, shown.count, (count) => set({ count }))) : null);
}

const openCalls = new Set();

function drawCalls() {
  if (calls.length === 0) return [el("section", {}, el("p", {}, t.noCalls))];
  return [el("ol", { className: "calls" }, ...calls.toReversed().map((call) => {
    const bad = call.status !== 200 || call.errcode !== 0;
    const outcome = call.status === null ? t.noAnswer : call.status !== 200 ? `HTTP ${call.status}` : call.errcode || "ok";
    const open = openCalls.has(call.id);
    return el("li", {},
      el("button", {
        className: "head", type: "button", ariaExpanded: String(open),
        onclick: () => { openCalls[open ? "delete" : "add"](call.id); drawDrawer(); },
      }, el("span", { className: "soft" }, clock(call.at)), el("b", {}, call.path.replace("/cgi-bin", "")),
        el("span", { className: bad ? "bad" : "good" }, String(outcome)), el("span", { className: "soft" }, `${call.took} ms`)),
      open ? el("div", { className: "raw" }, ...drawCall(call), call.fault ? el("h3", { className: "bad" }, `${t.fault}: ${call.fault}`) : null) : null);
  }))];
}

// ---------------------------------------------------------------- live

function drawFrame() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `${t.title} · wxreply`;
  document.querySelectorAll("[data-t]").forEach((node) => { node.textContent = t[node.dataset.t]; });
  byId("language").textContent = t.language;
  byId("tabs").setAttribute("aria-label", t.customers);
  addButtons[0] = el("button", { className: "add", type: "button", title: t.newCustomer, ariaLabel: t.newCustomer, onclick: addCustomer }, "+");
  addButtons[1] = el("button", { className: "tab", type: "button", ariaLabel: t.newCustomer, onclick: addCustomer }, `+ ${t.newCustomer}`);
}

function drawStatus(lost) {
  const status = byId("status");
  status.classList.toggle("lost", lost);
  status.replaceChildren(...(lost ? [t.lost] : settings ? [el("span", { className: "app" }, `${settings.app_id} · `), t.connected(settings)] : []));
}

let waiting = null; // changes that came while the whole state was on its way

async function load() {
  waiting = [];
  const state = await get("state");
  clockSkew = state.now - Date.now();
  settings = state.settings;
  calls = state.calls;
  const alive = new Set(state.customers.map(({ customer }) => customer.openid));
  for (const openid of phones.keys()) if (!alive.has(openid)) phones.delete(openid);
  for (const { customer, entries } of state.customers) {
    const phone = phones.get(customer.openid) ?? new Phone(customer.openid);
    phones.set(customer.openid, phone);
    phone.setView(customer);
    phone.setEntries(entries);
    phone.fillMore();
  }
  arrange();
  drawStatus(false);
  refreshDrawer();
  const missed = waiting;
  waiting = null;
  missed.forEach(apply);
  if (state.total === 0 && phones.size === 0) addCustomer();
}

function apply(change) {
  switch (change.type) {
    case "entry": {
      const phone = phoneOf(change.openid);
      phone.put(change.entry);
      if (phone !== current && change.entry.side === "shop" && !phone.unread) {
        phone.unread = true;
        phone.setView(phone.view);
      }
      break;
    }
    case "customer": {
      const phone = phoneOf(change.customer.openid);
      const before = phone.view.number;
      phone.setView(change.customer);
      if (before !== change.customer.number) { phone.redraw(); arrange(); }
      break;
    }
    case "settings":
      settings = change.settings;
      drawStatus(false);
      if (page === "settings") refreshDrawer();
      break;
    case "call":
      calls.push(change.call);
      if (calls.length > 100) calls.shift();
      if (page === "calls") refreshDrawer();
      break;
  }
}

function listen() {
  const events = new EventSource("/sim/events");
  events.onmessage = ({ data }) => {
    const change = JSON.parse(data);
    if (change.type === "hello") load();
    else if (waiting) waiting.push(change);
    else apply(change);
  };
  events.onerror = () => {
    drawStatus(true);
    // Most browsers try again by themselves; some give up when the port is closed.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
  };
}

byId("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  t = WORDS[language];
  drawFrame();
  for (const phone of phones.values()) phone.build();
  arrange();
  drawStatus(byId("status").classList.contains("lost"));
});
byId("settings").addEventListener("click", () => { drawDrawer(); drawer.showModal(); });
drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });
setInterval(() => { for (const phone of phones.values()) phone.tick(); }, 1000);
drawFrame();
listen();
