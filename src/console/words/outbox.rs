//! The outbox: what waits, what did not reach its customer, and what to do about it.

words! {
    /// The outbox.
    Outbox {
        queued: "Waiting", "待发送";
        failed: "Failed", "失败";
        uncertain: "Uncertain", "结果不明";
        dropped: "Dropped", "已丢弃";
        sending: "being sent", "正在发送";
        lists: "Lists", "列表";
        queued_hint: "Replies that go out by themselves when they are due.", "到时间后会自动发出的回复。";
        failed_hint: "WeChat refused these, or could not be reached in time. Nobody has them.",
            "微信拒收，或一直没能送达。客户没有收到。";
        uncertain_hint: "These left, but WeChat gave no answer: the customer may have them already. Sending again may send twice.",
            "已经发出，但微信没有应答：客户可能已经收到，重发可能会收到两次。";
        dropped_hint: "Given up without asking WeChat, because it would have refused, or by hand.",
            "未向微信发送就丢弃了：因为微信不会接受，或由人手动丢弃。";
        none_queued: "Nothing waits.", "没有待发送的回复。";
        none_failed: "No reply has failed.", "没有失败的回复。";
        none_uncertain: "Every reply's end is known.", "没有结果不明的回复。";
        none_dropped: "No reply was dropped.", "没有丢弃的回复。";
        resend: "Send again", "重发";
        drop: "Drop", "丢弃";
        resend_all: "Send all failed again", "全部重发";
        resend_all_ask: "Send all failed replies of this list again?", "确定重发此列表中所有失败的回复？";
        drop_ask: "Drop the chosen replies? Their customers will not get them.", "确定丢弃选中的回复？客户将不会收到。";
        select_all: "Select all", "全选";
        select: "Select", "选择";
        selected: "{} selected", "已选 {} 条";
        none_selected: "Choose replies first.", "请先选择回复。";
        queued_again: "{} queued again.", "已有 {} 条重新排队。";
        given_up: "{} dropped.", "已丢弃 {} 条。";
        left_alone: "Others had changed meanwhile and were left alone.", "其余的状态已变化，未作处理。";
        due_in: "due in {}", "{}后发送";
        overdue: "overdue by {}", "已超时 {}";
        attempts: "{} attempts", "已尝试 {} 次";
        one_attempt: "1 attempt", "已尝试 1 次";
        again_in: "again in {}", "{}后重试";
        written_by: "by {}", "{} 撰写";
        question: "asks a webhook", "等待 webhook";
        picture: "Picture", "图片";
        no_text: "No text", "无文本";
    }
}
