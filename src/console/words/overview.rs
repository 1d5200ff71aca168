//! How it goes.

words! {
    /// How it goes.
    Overview {
        window: "Window", "时段";
        day: "24 h", "24 小时";
        week: "7 days", "7 天";
        fortnight: "14 days", "14 天";
        month: "30 days", "30 天";
        messages: "Messages", "消息";
        events: "and {} event|and {} events", "另有事件 {} 个";
        answered: "Match rate", "命中率";
        answered_of: "{} without a rule", "{} 条未命中规则";
        delivered: "Delivered", "送达率";
        delivered_of: "{} reply sent|{} replies sent", "已发送回复 {} 条";
        latency: "Answer time, p99", "应答耗时 p99";
        latency_of: "half within {}", "半数在 {} 以内";
        compared: "Compared with the window before: {}", "与上一时段相比：{}";
        points: "{} pp", "{} 个百分点";
        messages_hour: "Messages per hour", "每小时消息";
        messages_day: "Messages per day", "每天消息";
        matched: "Answered by a rule", "命中规则";
        unmatched: "Unanswered", "未命中规则";
        other: "Kept silent", "未回复（冷却、暂停等）";
        match_rate: "Match rate", "命中率";
        latency_title: "How fast WeChat gets its answer", "应答微信的耗时";
        latency_hint: "all apps; WeChat waits 5 s", "所有应用；微信最多等待 5 秒";
        p50: "Half (p50)", "p50";
        p99: "Slowest 1 % (p99)", "p99";
        time: "Time", "时间";
        table: "The figures as a table", "数据表";
        delivery: "Delivery", "投递结果";
        delivery_hint: "of the replies decided in this window", "此时段内产生的回复";
        sent: "Sent", "已发送";
        queued: "Waiting", "待发送";
        dropped: "Dropped", "已丢弃";
        failed: "Failed", "失败";
        uncertain: "Uncertain", "结果不明";
        no_replies: "No replies in this window.", "此时段没有回复。";
        rules: "Top rules", "命中最多的规则";
        rules_all: "All rules", "全部规则";
        rules_none: "No rule has answered in this window.", "此时段没有规则命中。";
        silent: "{} silent", "冷却 {}";
        observed: "{} observed", "观察 {}";
        unanswered: "Unanswered texts", "未回复";
        unanswered_all: "All", "全部";
        unanswered_none: "Every text found its rule.", "所有消息都命中了规则。";
        unanswered_of: "Similar texts together, of the newest {}.", "相似的归为一组，取最近 {} 条。";
        similar: "and {} similar", "及相似的 {} 种";
        draft: "Draft a rule", "起草规则";
        health: "Health", "运行状况";
        health_more: "System", "系统";
        rules_in_force: "{} rule in force|{} rules in force", "{} 条规则生效中";
        database: "Database", "数据库";
        database_fine: "answers", "正常";
        token: "Token {}", "{} 的 token";
        outbox: "Outbox", "发件箱";
        outbox_waiting: "{} waiting", "待发送 {} 条";
        dead: "{} failed", "失败 {} 条";
        dead_none: "no dead letters", "没有失败的回复";
        unknown_end: "{} uncertain", "结果不明 {} 条";
        index: "Figures", "统计";
        index_rebuilding: "being counted anew, not complete yet", "正在重新统计，暂不完整";
        index_behind: "{} message behind|{} messages behind", "落后 {} 条消息";
        no_messages: "Nothing has come in this window.", "此时段没有消息。";
        no_latency: "Nothing was measured in this window.", "此时段没有测量数据。";
    }
}
