//! The machinery, and who did what.

words! {
    /// The machinery.
    System {
        alarms_untold: "Nobody is told of alarms: set webhook or wecom_robot under [alarm].",
            "告警没有通知任何人：请在 [alarm] 下设置 webhook 或 wecom_robot。";
        since: "since {}", "自 {}";
        mini_program: "Mini program", "小程序";
        official_account: "Official Account", "公众号";
        app_id: "AppID", "AppID";
        mode: "Mode", "加密模式";
        plain: "Plain", "明文模式";
        compat: "Compatible", "兼容模式";
        safe: "Safe", "安全模式";
        plain_hint: "WeChat's signature does not cover the content in this mode.", "此模式下微信的签名不涵盖消息内容。";
        callback: "Callback path", "回调路径";
        reserve: "Replies kept for people", "预留给人工的回复";
        token: "Access token", "access_token";
        token_good: "good for another {}", "{}后到期";
        token_expired: "expired {} ago", "已过期 {}";
        token_none: "not fetched yet", "尚未获取";
        token_forced: "{} forced renewal in 24 h|{} forced renewals in 24 h", "24 小时内强制刷新 {} 次";
        stable: "stable_token", "stable_token";
        classic: "token (classic)", "token（旧接口）";
        server: "central token server", "中控服务器";
        refused: "Refused pushes", "被拒绝的推送";
        refused_none: "None since the start.", "启动以来没有。";
        refused_last: "Last: {}", "最近一次：{}";
        from: "from {}", "来自 {}";
        reason_query: "parameters missing", "缺少参数";
        reason_signature: "wrong signature", "签名错误";
        reason_stale: "stale timestamp", "时间戳过期";
        reason_mode: "not encrypted", "未加密";
        reason_key: "no key configured", "未配置密钥";
        reason_envelope: "can't be decrypted", "无法解密";
        reason_reused: "replayed", "重放";
        rules: "Rules", "规则";
        rules_fine: "What is on the disk is in force.", "磁盘上的规则已生效。";
        rules_refused: "The files on the disk can't be used; the version before them stays in force.",
            "磁盘上的规则无法使用，之前的版本继续生效。";
        rules_archive: "The files could not be used at the start; this version comes from the archive.",
            "启动时文件无法使用，当前版本取自存档。";
        rules_tests: "Tests of the version in force fail:", "当前版本有测试未通过：";
        version: "Version", "版本";
        count: "Rules", "规则数";
        in_force: "In force since", "生效时间";
        read: "Last read", "上次读取";
        path: "Path", "路径";
        database: "Database", "数据库";
        backup: "Download a backup", "下载备份";
        size: "Size", "大小";
        wal: "Not yet in the file", "尚未写入主文件";
        index: "Search index", "搜索索引";
        index_behind: "{} message behind|{} messages behind", "落后 {} 条";
        index_current: "up to date", "已是最新";
        index_rebuilding: "being rebuilt", "正在重建";
        messages: "Messages", "消息数";
        replies: "Replies", "回复";
        text: "Text", "内容";
        until_name: "Until", "截止";
        oldest: "Oldest", "最早";
        retention: "Kept for", "保留";
        days: "{} day|{} days", "{} 天";
        hours: "{} hour|{} hours", "{} 小时";
        forever: "for ever", "永久";
        pictures: "Pictures", "图片";
        pictures_kept: "{} kept", "已保存 {} 张";
        pictures_waiting: "{} to be fetched", "待下载 {} 张";
        pictures_lost: "{} lost", "丢失 {} 张";
        pictures_off: "not kept", "不保存";
        process: "Process", "进程";
        running: "Running for", "已运行";
        config: "Settings", "配置文件";
        listen: "Pushes come in at", "推送监听";
        sessions: "Signed in", "已登录";
        sessions_none: "Nobody.", "无。";
        until: "until {}", "至 {}";
        audit: "Audit trail", "操作记录";
        audit_none: "Nobody has done anything by hand yet.", "还没有人工操作。";
        when: "When", "时间";
        who: "Who", "操作人";
        what: "What", "操作";
        subject: "To what", "对象";
        detail: "Detail", "详情";
        did_reply: "replied", "回复";
        did_mute: "paused the bot", "暂停自动回复";
        did_unmute: "resumed the bot", "恢复自动回复";
        did_drop: "dropped replies", "丢弃回复";
        did_resend: "sent again", "重发";
        did_forget: "forgot a user", "删除用户数据";
        did_snippet_put: "saved a snippet", "保存常用语";
        did_snippet_delete: "deleted a snippet", "删除常用语";
        did_backup: "downloaded a backup", "下载备份";
        did_rules_save: "saved rules", "保存规则";
        did_rules_delete: "deleted rules", "删除规则文件";
        did_rules_restore: "restored a version", "恢复版本";
        did_rules_reload: "reloaded rules", "重新加载规则";
    }
}
