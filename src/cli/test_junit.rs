//! The results of rule tests as JUnit's XML, for CI servers.

use std::io::Write;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::test::{Ran, line};

/// Writes them, one suite a file.
pub(super) fn write_junit(out: impl Write, ran: &[Ran]) -> anyhow::Result<()> {
    let mut report = Report::new("wxreply test");
    let mut suites: Vec<TestSuite> = Vec::new();
    for ran in ran {
        let place = &ran.test.place;
        let file = place.source.path.display().to_string();
        let mut case = TestCase::new(ran.test.name.as_str(), status(ran));
        case.set_classname(file.as_str()).set_time(ran.took);
        let suite = match suites.iter_mut().find(|suite| suite.name.as_str() == file) {
            Some(suite) => suite,
            None => {
                suites.push(TestSuite::new(file));
                let last = suites.len() - 1;
                &mut suites[last]
            }
        };
        suite.add_test_case(case);
    }
    report.time = Some(ran.iter().map(|ran| ran.took).sum());
    report.add_test_suites(suites);
    Ok(report.serialize(out)?)
}

fn status(ran: &Ran) -> TestCaseStatus {
    let Some(first) = ran.failures.first() else {
        return TestCaseStatus::success();
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    if let Some(mismatch) = first.mismatches.first() {
        status.set_message(mismatch.to_string());
    }
    let told = ran.failures.iter().map(|failure| {
        let file = failure.place.source.path.display();
        let message = format!("{file}:{}: {}", line(&failure.place), failure.message);
        format!("{message}\n{}", failure.lines().join("\n"))
    });
    status
        .set_type("rule test")
        .set_description(told.collect::<Vec<_>>().join("\n\n"));
    status
}
