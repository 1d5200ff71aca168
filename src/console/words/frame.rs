//! What stands on every page: the way to the others, the sign-in, what went wrong, units.

words! {
    /// The frame.
    Frame {
        overview: "Overview", "概览";
        conversations: "Conversations", "会话";
        overview_short: "Home", "概览";
        conversations_short: "Chats", "会话";
        me_short: "Me", "我的";
        rules: "Rules", "规则";
        outbox: "Outbox", "发件箱";
        versions: "Versions", "版本";
        system: "System", "系统";
        menu: "Pages", "页面";
        skip: "Skip to content", "跳到正文";
        sign_in: "Sign in", "登录";
        sign_out: "Sign out", "退出";
        signed_out: "You are signed out. What you wrote stays in this tab; sign in again.",
            "您已退出登录。已输入的内容会保留在此标签页，请重新登录。";
        wrong_password: "no user has this name and password", "用户名或密码不正确";
        too_many_attempts: "too many attempts to sign in; wait half a minute", "尝试次数过多，请半分钟后再试";
        name: "Name", "用户名";
        password: "Password", "密码";
        back: "Back", "返回";
        no_users: "No users are configured: whoever can use this machine can do everything here.",
            "未配置用户：能使用这台机器的人，都可以在这里进行任何操作。";
        language: "Language", "语言";
        theme: "Appearance", "外观";
        theme_auto: "As the system", "跟随系统";
        theme_light: "Light", "浅色";
        theme_dark: "Dark", "深色";
        apply: "Apply", "应用";
        settings: "Settings", "设置";
        live: "Live", "实时";
        wrong: "Something is wrong", "出错了";
        not_found: "There is no such page.", "没有这个页面。";
        forbidden: "This is not allowed.", "不允许此操作。";
        too_large: "That is too long to be sent at once.", "内容太长，无法一次提交。";
        more: "More", "更多";
        older: "Older", "更早";
        newer: "Newest", "最新";
        all_apps: "All apps", "全部应用";
        app: "App", "应用";
        cancel: "Cancel", "取消";
        role_viewer: "viewer", "查看者";
        role_agent: "agent", "客服";
        role_editor: "editor", "编辑者";
        unit_seconds: "s", "秒";
        unit_minutes: "min", "分钟";
        unit_hours: "h", "小时";
        unit_days: "d", "天";
        monday: "Mon", "周一";
        tuesday: "Tue", "周二";
        wednesday: "Wed", "周三";
        thursday: "Thu", "周四";
        friday: "Fri", "周五";
        saturday: "Sat", "周六";
        sunday: "Sun", "周日";
    }
}
