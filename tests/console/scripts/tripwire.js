// Runs before any page does: notes what a page must never do.
window.__alarms = [];
for (const name of ["alert", "confirm", "prompt", "print"]) {
  const original = window[name].bind(window);
  window[name] = (...args) => {
    window.__alarms.push(`${name}(${args})`);
    return name === "confirm" ? original(...args) : undefined;
  };
}
document.addEventListener("securitypolicyviolation", (event) => {
  window.__alarms.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`);
});
