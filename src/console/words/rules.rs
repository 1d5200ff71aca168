//! The rules: list, one rule, editor, form.

words! {
    /// Rules.
    Rules {
        new: "New rule", "新建规则";
        unanswered: "Unanswered", "未回复";
        reload: "Reload", "重新加载";
        reloaded: "The rules on the disk are in force.", "磁盘上的规则已生效。";
        in_force: "In force", "生效中";
        since: "since", "自";
        filter: "Filter by name, keyword or file", "按名称、关键词或文件筛选";
        order: "As tried", "按匹配顺序";
        by_file: "By file", "按文件";
        hits: "hit|hits", "次命中";
        last_hit: "Last hit", "最近命中";
        never_hit: "no hits", "无命中";
        days: "{} day|{} days", "{} 天";
        day: "24 h", "24 小时";
        window: "Hits counted over", "命中统计范围";
        disabled: "off", "已停用";
        observe: "observes", "仅观察";
        everything: "any message", "任何消息";
        nothing: "logs only", "仅记录";
        none: "No rules yet.", "还没有规则。";
        none_found: "No rule fits this filter.", "没有符合条件的规则。";
        refused: "The rules on the disk are not in force", "磁盘上的规则未生效";
        refused_why: "The last usable version answers customers until this is mended.",
            "修好之前，仍由上一个可用版本回复客户。";
        from_archive: "The rules in force come from the archive: the files could not be used when the daemon started.",
            "当前规则来自存档：服务启动时规则文件无法使用。";
        checking: "The rules are still being checked as a whole; problems show up here in a moment.",
            "正在检查整套规则，问题稍后会显示在这里。";
        whole: "About the rules as a whole", "关于整套规则";
        problems: "Problems", "问题";
        errors: "{} error|{} errors", "{} 个错误";
        warnings: "{} warning|{} warnings", "{} 个警告";
        edit: "Edit source", "编辑源码";
        edit_form: "Edit", "编辑";
        file: "File", "文件";
        priority: "Priority", "优先级";
        apps: "Apps", "应用";
        all: "all", "全部";
        asks: "Asks for", "条件";
        does: "Does", "动作";
        place: "Tried as number", "匹配顺序";
        changed: "{} of {} messages would change", "{} / {} 条消息有变化";
        silent: "Silent (cooldown)", "冷却中未回复";
        observed: "Observed", "观察到";
        source: "Source", "源码";
        tests: "Tests", "测试";
        no_tests: "No test expects this rule.", "没有测试用到这条规则。";
        recent: "Recent messages", "最近的消息";
        no_recent: "No message in this window.", "这段时间没有消息。";
        text_of: "Source of", "源码：";
        save: "Save", "保存";
        saved: "Saved, and in force.", "已保存并生效。";
        saved_refused: "Saved, but not in force", "已保存，但未生效";
        new_file: "New file", "新文件";
        new_file_name: "Name, such as shop.toml", "文件名，如 shop.toml";
        create: "Create", "创建";
        delete: "Delete file", "删除文件";
        delete_sure: "Delete this file and all its rules?", "确定删除这个文件及其中所有规则？";
        check: "Check", "检查";
        try_it: "Try", "试一试";
        diff: "Changes", "改动";
        replay: "What would change", "影响预览";
        check_hint: "Findings, tests and normal forms of the keywords.", "检查结果、测试和归一化后的关键词。";
        fine: "No problems found.", "没有发现问题。";
        not_usable: "These rules can't go live yet.", "这些规则还不能生效。";
        same_in_force: "This is what is in force.", "与当前生效的规则相同。";
        passed: "passed", "通过";
        failed: "failed", "未通过";
        no_tests_run: "The tests run once there are no errors.", "没有错误后才会运行测试。";
        keywords: "Keywords as they are compared", "归一化后的关键词";
        keyword_empty: "nothing is left to look for", "归一化后为空";
        keyword_same: "the same as", "等同于";
        keyword_list: "list", "词表";
        message: "What the customer writes", "客户发来的内容";
        try_button: "Try it", "试一下";
        nobody: "No rule answers.", "没有规则回复。";
        answered_by: "Answered by", "回复规则";
        observed_by: "Observed by", "观察规则";
        normal_form: "Normal form", "归一化文本";
        nearest: "Nearly matched", "差一点命中";
        asked: "Rules in the order tried", "逐条匹配过程";
        handed_over: "Handed to a person", "转人工";
        dropped: "would be dropped: quota", "将因额度不足被丢弃";
        no_reply: "no reply", "不回复";
        no_diff: "The same as on the disk.", "与磁盘上的文件相同。";
        replay_run: "Judge the last 14 days again", "用最近 14 天的消息预览";
        replay_hint: "The recorded messages of the last 14 days are judged by the rules in force and by these, side by side. Nothing is sent.",
            "用最近 14 天收到的消息，对比当前规则和修改后的规则。不会发送任何内容。";
        replay_all: "All messages of the last 14 days", "最近 14 天的全部消息";
        replay_part: "There were too many messages: only the newest were judged.", "消息太多，只预览了最新的一部分。";
        replay_none: "No customer would notice a difference.", "客户不会感到任何变化。";
        newly: "Newly answered", "新增回复";
        no_longer: "No longer answered", "不再回复";
        differently: "Answered differently", "回复改变";
        quota: "Cut short otherwise by quota", "受额度影响";
        unnoticed: "Unnoticed by customers", "客户无感";
        others: "{} other message|{} other messages", "{} 条其他消息";
        conflict: "This file was changed on the disk meanwhile.", "这个文件刚刚在磁盘上被改动。";
        conflict_what: "Nothing was overwritten. Below: what saving your text would change in the file as it is now.",
            "没有覆盖任何内容。以下是保存后相对磁盘现状的改动。";
        take_theirs: "Drop mine, load the file", "放弃我的改动，重新载入";
        save_over: "Save mine over it", "用我的内容覆盖";
        gone: "This rule is not in force any more.", "这条规则已不再生效。";
        gone_why: "It was renamed or deleted, or serves other apps now. Its messages and the versions that had it are still there.",
            "它已改名、被删除，或只用于其他应用。它处理过的消息和当时的版本仍可查看。";
        gone_messages: "Its messages", "它处理过的消息";
        gone_versions: "Versions", "历史版本";
        kept: "This tab still has text of this file that was not saved.", "此标签页还保留着这个文件未保存的内容。";
        kept_back: "Bring it back", "找回";
        kept_drop: "Throw it away", "丢掉";
        read_only: "You may read and try, but not save.", "您可以查看和试用，但不能保存。";
        keys: "Ctrl+S saves.", "Ctrl+S 保存。";
        form_new: "New rule", "新建规则";
        form_edit: "Edit rule", "编辑规则";
        form_name: "Name", "名称";
        form_keywords: "Keywords, one a line", "关键词，每行一个";
        form_keywords_hint: "The rule answers when the message contains one of them. Case, width and traditional characters do not matter.",
            "消息包含其中任意一个就会回复。不区分大小写、全角半角和繁简体。";
        form_reply: "Reply", "回复内容";
        form_priority: "Priority", "优先级";
        form_priority_hint: "The higher is tried first; mostly 0.", "数字大的先匹配，一般为 0。";
        form_enabled: "Enabled", "启用";
        form_file: "File", "文件";
        form_source: "Edit the source instead", "改为编辑源码";
        form_conflict: "This file was changed on the disk meanwhile. Nothing was overwritten: saving again applies these fields to the file as it is now.",
            "这个文件刚刚在磁盘上被改动，没有覆盖任何内容。再次保存，会把以下各项应用到现在的文件。";
        form_missing: "Name, keywords and reply are all needed.", "名称、关键词和回复内容都要填写。";
        not_saved: "Not saved", "未保存";
        draft: "Draft a rule", "起草规则";
        draft_from: "Drafted from these texts", "根据这些消息起草";
        draft_left_out: "Left out", "未包含";
        draft_reply: "Reply", "回复内容";
        draft_reply_hint: "Without a reply the rule can't be saved.", "没有回复内容的规则不能保存。";
        draft_fill: "Put it into the rule", "填入规则";
        draft_where: "Added at the end of", "添加到文件末尾：";
    }
}
