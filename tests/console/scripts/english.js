// Pieces of text with at least two English words in a row and no Chinese in them, outside of code, names and what people wrote.
const skip = "code, pre, kbd, samp, script, style, textarea, bdi, time, [lang=en], [translate=no], .mono, .findings";
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = new Set();
while (walker.nextNode()) {
  const node = walker.currentNode;
  const text = node.textContent.replace(/\s+/g, " ").trim();
  if (!/[a-z]{2,} [a-z]{2,}/i.test(text) || /\p{Script=Han}/u.test(text)) continue;
  if (node.parentElement.closest(skip) || !node.parentElement.checkVisibility()) continue;
  found.add(text.slice(0, 80));
}
return [...found];
