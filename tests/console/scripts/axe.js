// Runs axe-core, which is there already, and tells what it finds: WCAG 2.1 A and AA, and axe's best practices.
const done = arguments[arguments.length - 1];
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
axe
  .run(document, { runOnly: tags, resultTypes: ["violations"] })
  .then(({ violations }) =>
    done(
      violations.map((violation) => ({
        rule: violation.id,
        help: violation.help,
        places: violation.nodes.slice(0, 3).map((node) => {
          const why = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
          return `${node.html.slice(0, 200)} — ${why}`;
        }),
      })),
    ),
  )
  .catch((error) => done(String(error)));
