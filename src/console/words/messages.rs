//! The log as rows, and one message with its why.

words! {
    /// The message log, and the page of one message.
    Messages {
        title: "Message log", "消息记录";
        message: "Message", "消息";
        search: "Text contains", "内容包含";
        openid: "openid", "openid";
        rule: "Rule", "规则";
        status: "Status", "状态";
        direction: "Direction", "方向";
        since: "From", "开始";
        until: "To", "结束";
        apply: "Filter", "筛选";
        reset: "Reset", "重置";
        filters: "Filters", "筛选条件";
        time: "Time", "时间";
        none: "No messages fit these filters.", "没有符合条件的消息。";
        none_so_far: "Nothing found so far. Looked back to", "暂未找到，已查找到";
        go_on: "Look further back", "继续往前查找";
        export: "Export", "导出";
        to_chats: "Conversations", "会话视图";
        open_thread: "Open in conversation", "在会话中查看";
        app: "App", "应用";
        kind: "Kind", "类型";
        attempts: "Attempts", "尝试次数";
        errcode: "WeChat's code", "微信错误码";
        reply_to: "Answers", "回复的消息";
        author: "Written by", "发送人";
        rule_set: "Rule version", "规则版本";
        raw: "Raw data", "原始数据";
        why: "Why", "原因分析";
        now_rules: "Rules in force now", "当前规则";
        then_rules: "Rules of then", "当时的规则";
        by_then: "Judged by the rules that were in force when it came.", "按消息到达时的规则判断。";
        by_now: "Judged by the rules in force now.", "按当前规则判断。";
        same_rules: "The rules have not changed since.", "此后规则未变。";
        then_gone: "The rules of then are not in the archive any more; these are the rules in force now.",
            "当时的规则已不在存档中，以下按当前规则判断。";
        contact_now: "State, cooldowns and quota are those of now, not of then.", "对话状态、冷却和额度为当前值，而非当时。";
        reply_note: "This is a reply; the explanation is about the message that it answers.",
            "这是一条回复，以下分析的是它所回复的消息。";
        asked_gone: "The message that this reply answers is no longer in the log.", "这条回复对应的消息已不在记录中。";
        by_hand_note: "A person wrote this; no rule decided.", "此消息由人工发送，与规则无关。";
        malformed_note: "This push could not be read, so no rule was asked.", "推送无法解析，未经规则判断。";
        by_rule: "by rule", "规则";
        nearest: "Nearly matched", "差一点命中";
        normal_form: "Normal form", "归一化文本";
        rules: "Rules in the order tried", "规则（按匹配顺序）";
        held: "matches", "命中";
        not_held: "does not match", "未命中";
        more_rules: "{} more rule|{} more rules", "{} 条其他规则";
        nothing_sent: "Nothing would be sent.", "不会发送任何内容。";
        would_drop: "would not be sent", "不会发送";
        transfer: "Handed to human customer service", "转人工客服";
        becomes_state: "Dialog state becomes {} until {}", "对话状态变为 {}，至 {}";
        no_state: "Dialog state ends", "对话状态结束";
        becomes_muted: "The bot is paused until {}", "自动回复暂停至 {}";
        cooldown_for_one: "Rule {} stays silent for this customer until {}", "规则 {} 对该客户冷却至 {}";
        cooldown_for_all: "Rule {} stays silent for everybody until {}", "规则 {} 对所有客户冷却至 {}";
        misses: "{} unanswered in a row", "连续 {} 条未命中";
        quota: "Quota", "额度";
        cost: "uses {}, {} left afterwards", "使用 {} 条，之后剩余 {} 条";
        cost_reserve: "uses {}, {} left afterwards, {} of them kept for a person", "使用 {} 条，之后剩余 {} 条，其中 {} 条留给人工";
        cost_none: "WeChat would take no reply now.", "微信目前不接受回复。";
        near_condition: "Only this condition was missing: {}: {}", "只差这个条件：{}：{}";
        near_sound: "“{}” sounds like “{}”", "“{}”与“{}”读音相同";
        near_spelling: "“{}” is one character away from “{}”", "“{}”与“{}”只差一个字";
        then: "Afterwards", "之后";
        observed: "Observed only, would have answered", "仅观察，本会回复";
        draft: "Draft a rule from this message", "用这条消息起草规则";
        priority: "priority", "优先级";
        close: "Close", "关闭";
    }
}
