//! What stands on the pages of conversations: the list, the thread, the composer, forgetting.

words! {
    /// Conversations.
    Conversations {
        title: "Conversations", "会话";
        search: "Search texts or an openid", "搜索消息内容或 openid";
        search_button: "Search", "搜索";
        clear: "Clear search", "清除搜索";
        all: "All", "全部";
        unanswered: "Unanswered", "待回复";
        muted: "Bot paused", "已暂停自动回复";
        filter: "Show", "筛选";
        none: "No conversations yet. They appear here as soon as a customer writes.",
            "还没有会话。客户发来消息后会出现在这里。";
        none_found: "Nothing found.", "没有找到。";
        none_so_far: "Nothing found so far. The search has looked back to", "暂未找到，已查找到";
        go_on: "Look further back", "继续往前查找";
        none_shown: "No conversation fits this filter.", "没有符合条件的会话。";
        choose: "Choose a conversation.", "请选择一个会话。";
        list: "List of conversations", "会话列表";
        is_unanswered: "unanswered", "待回复";
        is_muted: "bot paused", "已暂停自动回复";
        you: "Shop", "商家";
        colon: ":", "：";
        draft: "Draft a rule", "起草规则";
        picture_file: "File of an unknown type", "未知类型的文件";
        log: "Message log", "消息记录";
        thread: "Messages", "消息";
        customer: "Customer", "客户";
        shop: "Shop", "商家";
        why: "Why?", "为什么？";
        why_long: "Why was this answered so?", "为什么这样回复？";
        earlier: "Earlier messages", "更早的消息";
        beginning: "The conversation begins here.", "会话从这里开始。";
        to_newest: "To the newest messages", "回到最新消息";
        new_below: "New messages", "有新消息";
        picture: "Picture from the customer", "客户发来的图片";
        picture_waiting: "The picture is still being fetched from WeChat.", "图片正在从微信获取。";
        picture_lost: "The picture could not be fetched; WeChat keeps it for three days only.",
            "图片未能获取，微信只保留三天。";
        picture_not_kept: "Pictures are not kept.", "未保存图片。";
        empty: "(empty)", "（空）";
        left_of: "{} of {} replies left", "还可回复 {}/{} 条";
        left: "{} reply left|{} replies left", "还可回复 {} 条";
        closes_in: "closes in {}", "{}后截止";
        waiting: "{} waiting to be sent", "{} 条待发送";
        window_closed: "No reply possible until the customer writes again.", "客户再次发来消息前无法回复。";
        quota_used: "WeChat takes no more replies until the customer writes again.",
            "额度已用完，需等客户再次发来消息。";
        state: "Dialog state {} for {}", "对话状态 {}，剩余 {}";
        muted_before: "Bot paused for", "已暂停自动回复，还剩";
        unmute: "Resume bot", "恢复自动回复";
        mute: "Pause bot", "暂停自动回复";
        mute_minutes: "for 30 min", "30 分钟";
        mute_hours: "for 2 h", "2 小时";
        mute_day: "for 24 h", "24 小时";
        actions: "Actions", "操作";
        export_csv: "Export as CSV", "导出 CSV";
        export_jsonl: "Export as JSONL", "导出 JSONL";
        search_here: "Search this conversation", "搜索此会话";
        first_seen: "First message", "首次来信";
        openid: "openid", "openid";
        write: "Write a reply", "输入回复";
        send: "Send", "发送";
        send_hint: "Ctrl/⌘ + Enter sends", "Ctrl/⌘ + Enter 发送";
        pause_bot: "Pause the bot for 30 min", "暂停自动回复 30 分钟";
        snippets: "Snippets", "常用语";
        manage_snippets: "Manage snippets", "管理常用语";
        no_snippets: "No snippets yet.", "还没有常用语。";
        too_long: "The text is longer than WeChat takes ({} bytes).", "内容超过微信的长度上限（{} 字节）。";
        text_empty: "Write something first.", "请先输入内容。";
        only_agents: "Your role may read, but not write.", "您的角色只能查看，不能回复。";
        not_sent: "Not sent:", "未发送：";
        forget: "Forget this customer", "清除此客户";
        forget_title: "Forget a customer", "清除客户";
        forget_text: "This erases all messages, pictures and the state of this customer in this app. It can't be undone.",
            "将永久删除该客户在此应用中的全部消息、图片和状态，且无法恢复。";
        forget_type: "Type the openid to confirm", "输入 openid 以确认";
        forget_wrong: "That is not the openid of this customer.", "输入的 openid 不一致。";
        forgotten: "The customer is forgotten; rows erased: {}.", "已清除该客户，共删除 {} 行记录。";
        forget_button: "Forget for ever", "永久清除";
        unknown_user: "This customer is not known here.", "这里没有该客户。";
        window_over: "The time in which WeChat takes replies is over; the customer must write first.",
            "已超过微信允许回复的时间，需等客户再次发来消息。";
        slots_full: "No more replies fit to this message; the customer must write first.",
            "对这条消息的回复已达上限，需等客户再次发来消息。";
        keys: "j and k move, Enter opens, / searches, r replies", "j、k 移动，Enter 打开，/ 搜索，r 回复";
    }
}
