//! Why something could not be done, told in Chinese by what it is: the English sentences are the API's too.

use std::borrow::Cow;
use std::io::ErrorKind;

use http::StatusCode;

use super::{Lang, told};
use crate::console::problem::Problem;
use crate::editing::{EditError, NotSimple};

/// What is wrong with a request.
pub(in crate::console) fn problem(lang: Lang, problem: &Problem) -> Cow<'_, str> {
    let detail = problem.detail();
    if lang == Lang::En {
        return detail.into();
    }
    match told(lang, detail) {
        Cow::Borrowed(_) => by_status(problem.status()).into(),
        known => known,
    }
}

fn by_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "请求有误，无法识别",
        StatusCode::UNAUTHORIZED => "请先登录",
        StatusCode::FORBIDDEN => "无权进行此操作",
        StatusCode::NOT_FOUND => "没有这项内容",
        StatusCode::METHOD_NOT_ALLOWED => "这个地址不支持此操作",
        StatusCode::REQUEST_TIMEOUT => "内容没有及时传到，请重试",
        StatusCode::CONFLICT => "与当前状态冲突，请刷新后再试",
        StatusCode::PAYLOAD_TOO_LARGE => "内容过大",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "不支持这种格式",
        StatusCode::UNPROCESSABLE_ENTITY => "提交的内容无法使用",
        StatusCode::TOO_MANY_REQUESTS => "操作过于频繁，请稍后再试",
        StatusCode::SERVICE_UNAVAILABLE => "服务暂时不可用，请稍后再试；详情见日志",
        _ => "处理时出错，详情见日志",
    }
}

/// Why rule files could not be changed.
pub(in crate::console) fn edit_error(lang: Lang, error: &EditError) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    match error {
        EditError::Path { path, .. } => format!("{path:?} 不能用作规则文件名"),
        EditError::Conflict { path, .. } => format!("{path} 刚刚被其他人改动，请查看差异后再保存"),
        EditError::NoFile(path) => format!("没有规则文件 {path}"),
        EditError::Refused(_) => lang.words().rules.not_usable.to_owned(),
        EditError::Linked { path } => {
            format!("{path} 是符号链接（例如来自 Kubernetes ConfigMap），请在它的来源处修改")
        }
        EditError::LoneFile(path) => {
            format!(
                "配置中的 `rules` 只指定了一个文件 {}，其他文件不会被读取",
                path.display()
            )
        }
        EditError::Write { path, cause } => {
            let why = match cause.kind() {
                ErrorKind::PermissionDenied => "：运行 wxreply 的用户没有规则目录的写权限",
                ErrorKind::ReadOnlyFilesystem => "：规则目录是只读挂载，请在文件的来源处修改",
                ErrorKind::StorageFull => "：磁盘已满",
                _ => "",
            };
            format!("{} 无法写入{why}", path.display())
        }
        EditError::NotSimple(error) => match error {
            NotSimple::Which { name, count: 0 } => format!("文件中没有名为“{name}”的规则"),
            NotSimple::Which { name, count } => {
                format!("文件中有 {count} 条名为“{name}”的规则，表单无法判断要改哪一条")
            }
            NotSimple::SaysMore { name, key } => {
                format!("规则“{name}”设置了 `{key}`，表单无法显示，请编辑源码")
            }
            NotSimple::File(_) => "表单无法修改这个文件，请编辑源码".to_owned(),
        },
        EditError::Busy(_) => "正忙，请稍后再试".to_owned(),
        EditError::NoVersion(version) => format!("存档中没有版本 {version}"),
        EditError::Read(_) => "规则文件无法读取，详情见日志".to_owned(),
        EditError::Archive(_) => "规则存档无法使用，详情见日志".to_owned(),
        EditError::Store(_) => "数据库没有响应，详情见日志".to_owned(),
        EditError::BrokeOff(_) => "操作中断，请重试".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_detail_of_a_problem_stays_english_in_chinese() {
        for code in 400..600 {
            let status = StatusCode::from_u16(code).expect("a status");
            let asked = Problem::new(status, "something in English");
            assert!(!super::problem(Lang::Zh, &asked).is_ascii(), "{code}");
            assert_eq!(super::problem(Lang::En, &asked), "something in English");
        }
        let known = Problem::new(
            StatusCode::FORBIDDEN,
            "this takes the role editor, and vera is viewer",
        );
        assert_eq!(
            super::problem(Lang::Zh, &known),
            "需要角色 编辑者，而 vera 的角色是 查看者"
        );
    }

    #[test]
    fn an_error_of_editing_says_what_to_do() {
        let full = EditError::Write {
            path: "rules/a.toml".into(),
            cause: ErrorKind::StorageFull.into(),
        };
        assert_eq!(edit_error(Lang::Zh, &full), "rules/a.toml 无法写入：磁盘已满");
        let more = NotSimple::SaysMore {
            name: "发票".to_owned(),
            key: "delay".to_owned(),
        };
        assert_eq!(
            edit_error(Lang::Zh, &more.into()),
            "规则“发票”设置了 `delay`，表单无法显示，请编辑源码"
        );
    }
}
