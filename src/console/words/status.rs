//! How a message was taken and where a reply stands; what WeChat calls its kinds of messages.

words! {
    /// Words for the log's `status`, and for kinds of messages.
    Status {
        matched: "Answered", "已回复";
        unmatched: "No rule matched", "未命中规则";
        cooldown: "Silent (cooldown)", "冷却中未回";
        muted: "Bot paused", "已暂停自动回复";
        malformed: "Unreadable", "无法解析";
        queued: "Queued", "待发送";
        sent: "Sent", "已发送";
        failed: "Failed", "发送失败";
        dropped: "Dropped", "已丢弃";
        uncertain: "Uncertain", "结果不明";
        all: "All statuses", "全部状态";
        inbound: "Received", "收到";
        outbound: "Sent out", "发出";
        both: "Both directions", "全部方向";
        image: "Picture", "图片";
        voice: "Voice message", "语音";
        video: "Video", "视频";
        location: "Location", "位置";
        link: "Link", "链接";
        mini_program: "Mini program", "小程序";
        file: "File", "文件";
        event: "Event", "事件";
        webhook: "Asking the webhook", "正在询问 Webhook";
        other: "Message", "消息";
        entered: "Opened the conversation", "进入会话";
        subscribed: "Followed the account", "关注了公众号";
        unsubscribed: "Unfollowed the account", "取消关注";
        scanned: "Scanned a QR code", "扫描二维码";
        clicked: "Tapped the menu", "点击菜单";
        agent_began: "An agent took over", "人工客服接入";
        agent_ended: "The agent's session ended", "人工会话结束";
        agent_switched: "Handed to another agent", "转接客服";
    }
}

impl Status {
    /// The word for a status; one that we do not know stands for itself.
    pub fn of<'a>(&self, status: &'a str) -> &'a str {
        match status {
            "matched" => self.matched,
            "unmatched" => self.unmatched,
            "cooldown" => self.cooldown,
            "muted" => self.muted,
            "malformed" => self.malformed,
            "queued" => self.queued,
            "sent" => self.sent,
            "failed" => self.failed,
            "dropped" => self.dropped,
            "uncertain" => self.uncertain,
            other => other,
        }
    }

    /// What happened, where the event is one that everybody meets; else WeChat's own word for it.
    pub fn event<'a>(&self, event: &'a str) -> &'a str {
        match event.to_ascii_lowercase().as_str() {
            "user_enter_tempsession" => self.entered,
            "subscribe" => self.subscribed,
            "unsubscribe" => self.unsubscribed,
            "scan" => self.scanned,
            "click" => self.clicked,
            "kf_create_session" => self.agent_began,
            "kf_close_session" => self.agent_ended,
            "kf_switch_session" => self.agent_switched,
            _ => event,
        }
    }

    /// The word for WeChat's kind of message; text needs none.
    pub fn kind<'a>(&self, msg_type: &'a str) -> &'a str {
        match msg_type {
            "image" => self.image,
            "voice" => self.voice,
            "video" | "shortvideo" => self.video,
            "location" => self.location,
            "link" => self.link,
            "miniprogrampage" => self.mini_program,
            "file" => self.file,
            "event" => self.event,
            "webhook" => self.webhook,
            "" => self.other,
            other => other,
        }
    }
}

/// The colour of a status.
pub fn tone(status: &str) -> &'static str {
    match status {
        "matched" | "sent" => "good",
        "unmatched" | "uncertain" | "cooldown" => "warn",
        "failed" | "malformed" => "bad",
        "queued" => "info",
        "muted" => "violet",
        _ => "",
    }
}
