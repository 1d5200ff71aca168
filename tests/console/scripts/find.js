// The thing on the page that people call so: arguments are its kind, its name, and whether a part of a name is not enough.
const [kind, name, strict] = arguments;

const words = (text) => (text || "").replace(/\s+/g, " ").trim();
const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });

/** The text of a label, without what its controls hold. */
function labelText(label) {
  const parts = [...label.childNodes].filter((node) => !(node instanceof Element) || !node.matches("input, select, textarea"));
  return words(parts.map((node) => node.textContent).join(" "));
}

/** All names of a thing. */
function names(element) {
  const labelled = (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent);
  const labels = [...(element.labels || [])].map(labelText);
  const own = element.matches("input, select, textarea") ? [element.placeholder] : [element.innerText, element.title, element.value];
  return [element.getAttribute("aria-label"), ...labelled, ...labels, ...own].map(words).filter((text) => text);
}

const kinds = {
  press: "button, a[href], summary, [role=button], [role=tab], [role=menuitem], input[type=submit], input[type=checkbox], input[type=radio]",
  field: "input:not([type=hidden]), textarea, select, [contenteditable]",
};
const usable = [...document.querySelectorAll(kinds[kind])].filter((element) => shown(element) && !element.disabled);
// What an open dialog covers can't be reached.
const dialog = [...document.querySelectorAll("dialog:modal")].pop();
const reachable = dialog ? usable.filter((element) => dialog.contains(element)) : usable;

const exactly = (element) => names(element).includes(name);
const beginning = (element) => names(element).some((text) => text.startsWith(`${name} `) || text.startsWith(`${name}…`));
const within = (element) => names(element).some((text) => text.includes(name));
return reachable.find(exactly) || reachable.find(beginning) || (strict ? null : reachable.find(within)) || null;
