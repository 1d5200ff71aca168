// The elements that make the page wider than the window; at most as many as the argument says.
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > width + 0.5 && element.closest("main, body > :not(nav)"));
const told = wide.map((element) => `${element.tagName.toLowerCase()}.${element.className?.baseVal ?? element.className}: ${element.textContent.replace(/\s+/g, " ").trim().slice(0, 40)}`);
return [`${document.documentElement.scrollWidth} > ${width}`, ...told].slice(0, arguments[0]);
